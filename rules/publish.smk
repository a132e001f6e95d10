# What goes to the object store that a knob names: parts of stores, and the results of a suite that a cloud runs, one job a target.
TO = PLAN.knobs.publish_to.rstrip("/")


rule publish_index:
    input:
        [f"{DATA}/{file}" for file in INDEX],
    output:
        [stored(f"{TO}/{RECORDS}/{file}") for file in INDEX],
    log:
        f"{DATA}/log/publish-index-{{name}}.txt",
    params:
        folder=subpath(output[0], parent=True),
    shell:
        "cp {input} {params.folder} 2>&1 | tee {log}"


rule publish_part:
    input:
        # That the store is joined: a part that no gate has passed is not published.
        f"{DATA}/store.h5",
        files=[f"{DATA}/{file}" for file in PART],
    output:
        [stored(f"{TO}/{RECORDS}/{file}") for file in PART],
    log:
        f"{DATA}/log/publish-part-{{part}}-{{name}}.txt",
    params:
        folder=subpath(output[0], parent=True),
    shell:
        "cp {input.files} {params.folder} 2>&1 | tee {log}"


rule publish:
    input:
        [
            stored(url, retrieve=False)
            for url in dict.fromkeys(each_part(f"{TO}/{RECORDS}/{INDEX[0]}"))
        ],
        [stored(url, retrieve=False) for url in each_part(f"{TO}/{RECORDS}/{PART[0]}")],


# The whole workflow on a machine of the cloud's, so that only its results cross the network.
rule cloud_target:
    output:
        stored(f"{TO}/runs/{{suite}}/{{target}}.tar"),
    log:
        "results/log/cloud/{suite}.{target}.txt",
    threads: lambda wildcards: PLAN.targets[wildcards.target].cores
    resources:
        mem_mb=lambda wildcards: PLAN.targets[wildcards.target].scheduler.mem_mb,
        runtime=lambda wildcards, attempt: PLAN.targets[
            wildcards.target
        ].scheduler.runtime_min
        * attempt,
        gpu=lambda wildcards: PLAN.targets[wildcards.target].scheduler.gpus or None,
        gpu_manufacturer=lambda wildcards: (
            "nvidia" if PLAN.targets[wildcards.target].scheduler.gpus else None
        ),
    params:
        # Another plan is a reason to run again.
        plan=file_digest(Path(in_suite(layout.SUITE_SLICE))),
        command=lambda wildcards: cloud_command(
            wildcards.suite, wildcards.target, config
        ),
        results=layout.RESULTS,
    shell:
        "({params.command} --cores {threads} && tar -cf {output} -C {params.results} {wildcards.suite}) 2>&1 | tee {log}"


rule cloud:
    input:
        [stored(url, retrieve=False) for url in cloud_objects(PLAN)],
