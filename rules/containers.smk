# The images that `--sdm apptainer` runs the rules in; built again when what they hold changes. Built on the bare machine, with --sdm too:
# no image holds what builds images.
# Images and receipts are left in place until the new ones are whole: a build that fails takes nothing away.
rule base_image:
    input:
        definition="containers/base.def",
        system="containers/debian.txt",
        envs=[
            "envs/setup.sh",
            "envs/bootstrap.txt",
            "envs/torch.txt",
            "envs/torch-cuda.txt",
            "envs/lock.txt",
        ],
    output:
        image=update(layout.BASE_IMAGE),
        receipt=update(layout.BASE_IMAGE_RECEIPT),
    log:
        "results/log/containers/base.txt",
    container:
        on_the_bare_machine()
    params:
        attempt=attempt_at(layout.BASE_IMAGE),
    shell:
        "vitalbench image build --definition {input.definition} --out {output.image} 2>&1 | tee {log}"


rule cpu_image:
    input:
        definition="containers/cpu.def",
        base=rules.base_image.output.image,
        source=package_files(),
        project=["pyproject.toml", "envs/requirements.in"],
    output:
        image=update(layout.CPU_IMAGE),
        receipt=update(layout.CPU_IMAGE_RECEIPT),
    log:
        "results/log/containers/cpu.txt",
    container:
        on_the_bare_machine()
    params:
        attempt=attempt_at(layout.CPU_IMAGE),
    shell:
        "vitalbench image build --definition {input.definition} --out {output.image} 2>&1 | tee {log}"


rule cuda_image:
    input:
        definition="containers/cuda.def",
        base=rules.base_image.output.image,
        torch="envs/torch-cuda.txt",
        source=package_files(),
        project=["pyproject.toml", "envs/requirements.in"],
    output:
        image=update(layout.CUDA_IMAGE),
        receipt=update(layout.CUDA_IMAGE_RECEIPT),
    log:
        "results/log/containers/cuda.txt",
    container:
        on_the_bare_machine()
    params:
        attempt=attempt_at(layout.CUDA_IMAGE),
    shell:
        "vitalbench image build --definition {input.definition} --out {output.image} 2>&1 | tee {log}"


rule cloud_image:
    input:
        definition="containers/cloud.def",
        base=rules.base_image.output.image,
        packages="envs/cloud.txt",
        source=package_files(),
        project=["pyproject.toml", "envs/requirements.in"],
    output:
        image=update("containers/cloud.sif"),
        receipt=update("containers/cloud.json"),
    log:
        "results/log/containers/cloud.txt",
    container:
        on_the_bare_machine()
    params:
        attempt=attempt_at("containers/cloud.sif"),
    shell:
        "vitalbench image build --definition {input.definition} --out {output.image} 2>&1 | tee {log}"


rule containers:
    input:
        rules.cpu_image.output,
    container:
        on_the_bare_machine()
