# One job a cell. It ends well once it has written how it ended, so that the tables can always be made.
rule train_cell:
    input:
        store=store_of,
        split=in_suite(layout.SPLIT),
        receipt=in_suite(layout.RECEIPT),
        task=in_suite(layout.TASK_SLICE),
        design=in_suite(layout.DESIGN_SLICE),
        target=in_suite(layout.TARGET_SLICE),
    output:
        in_suite(f"{layout.RUN}/status.json"),
    log:
        in_suite(
            "log/train/{dataset}.{task}.{design}.{target}.seed{seed}-fold{fold}.txt"
        ),
    benchmark:
        in_suite(
            "log/train/{dataset}.{task}.{design}.{target}.seed{seed}-fold{fold}.tsv"
        )
    threads: lambda wildcards: PLAN.targets[wildcards.target].threads
    resources:
        mem_mb=lambda wildcards: PLAN.targets[wildcards.target].scheduler.mem_mb,
        runtime=lambda wildcards: PLAN.targets[wildcards.target].scheduler.runtime_min,
    params:
        suite=subpath(input.task, ancestor=3),
        cell="{dataset}/{task}/{design}/{target}/seed{seed}-fold{fold}",
    shell:
        "vitalbench train --results {params.suite} --cell {params.cell} 2>&1 | tee {log}"


rule train:
    input:
        each_running(f"{layout.RUN}/status.json"),
