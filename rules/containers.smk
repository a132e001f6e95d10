# The image that `--sdm apptainer` runs every rule in; built again when what it holds changes.
# A site with mirrors of its own passes them on: APPTAINER_BUILD_FLAGS="--build-arg mirror=URL --bind DIR ..."
rule cpu_image:
    input:
        definition="containers/cpu.def",
        envs=[
            "envs/setup.sh",
            "envs/bootstrap.txt",
            "envs/torch.txt",
            "envs/lock.txt",
            "envs/requirements.in",
        ],
        source=[
            str(path)
            for path in sorted(Path("src").rglob("*"))
            if path.suffix in (".py", ".csv", ".html", ".css")
        ],
        project="pyproject.toml",
    output:
        "containers/cpu.sif",
    log:
        "results/log/containers/cpu.txt",
    shell:
        "apptainer build --fakeroot ${{APPTAINER_BUILD_FLAGS:-}} {output} {input.definition} 2>&1 | tee {log}"


rule containers:
    input:
        rules.cpu_image.output,
