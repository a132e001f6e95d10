# Timing. On this machine a measuring job takes every core, so that nothing of this workflow runs beside it; where another
# scheduler places the jobs it asks for what its target declares. Its own threads are the target's either way.
rule measure_design:
    input:
        data=lambda wildcards: f"{DATA}/config.json".format(
            dataset=wildcards.dataset, source=PLAN.sources[wildcards.dataset]
        ),
        task=in_suite(layout.TASK_SLICE),
        design=in_suite(layout.MEASURE_SLICE),
        target=in_suite(layout.TARGET_SLICE),
    output:
        in_suite(layout.MEASUREMENT),
    log:
        in_suite("log/measure/{dataset}.{task}.{design}.{target}.txt"),
    benchmark:
        in_suite("log/measure/{dataset}.{task}.{design}.{target}.tsv")
    threads:
        lambda wildcards: workflow.resource_settings.cores
        or PLAN.targets[wildcards.target].threads
    resources:
        mem_mb=lambda wildcards: PLAN.targets[wildcards.target].scheduler.mem_mb,
        runtime=lambda wildcards: PLAN.targets[wildcards.target].scheduler.runtime_min,
    params:
        suite=subpath(input.task, ancestor=3),
        measurement="{dataset}/{task}/{design}/{target}",
    shell:
        "vitalbench measure --results {params.suite} --measurement {params.measurement} --exclusive 2>&1 | tee {log}"


rule measure:
    input:
        [
            in_suite(layout.MEASUREMENT).format(**cell.keys)
            for cell in PLAN.running
            if PLAN.designs[cell.design].model
        ],
