# Timing. On this machine a measuring job takes every core, so that nothing of this workflow runs beside it; where another
# scheduler places the jobs it asks for what its target declares. Its own threads are the target's either way. The store is not ancient:
# behind an ancient input Snakemake looks for no other reason once that input is built again, and `measure` would end with nothing measured.
rule measure_design:
    input:
        data=lambda wildcards: f"{DATA}/config.json".format(
            dataset=wildcards.dataset, source=PLAN.sources[wildcards.dataset]
        ),
        store=store_of,
        task=in_suite(layout.TASK_SLICE),
        design=in_suite(layout.MEASURE_SLICE),
        target=in_suite(layout.TARGET_SLICE),
    output:
        in_suite(layout.MEASUREMENT),
    log:
        in_suite("log/measure/{dataset}.{task}.{design}.{target}.txt"),
    benchmark:
        in_suite("log/measure/{dataset}.{task}.{design}.{target}.tsv")
    container:
        image_of
    threads:
        lambda wildcards: workflow.resource_settings.cores
        or PLAN.targets[wildcards.target].cores
    resources:
        mem_mb=needed("mem_mb"),
        runtime=needed("runtime"),
        gpu=needed("gpu"),
        gpu_model=needed("gpu_model"),
    params:
        suite=subpath(input.task, ancestor=3),
        measurement="{dataset}/{task}/{design}/{target}",
    shell:
        "vitalbench measure --results {params.suite} --measurement {params.measurement} --exclusive 2>&1 | tee {log}"


# A searched design is timed with the values that were chosen, which may differ by fold.
use rule measure_design as measure_searched with:
    input:
        data=lambda wildcards: f"{DATA}/config.json".format(
            dataset=wildcards.dataset, source=PLAN.sources[wildcards.dataset]
        ),
        store=store_of,
        task=in_suite(layout.TASK_SLICE),
        design=in_suite(layout.MEASURE_SLICE),
        target=in_suite(layout.TARGET_SLICE),
        search=in_suite(layout.CHOSEN),
    output:
        in_suite(layout.SEARCHED_MEASUREMENT),
    log:
        in_suite("log/measure/{dataset}.{task}.{design}.{target}.fold{fold}.txt"),
    benchmark:
        in_suite("log/measure/{dataset}.{task}.{design}.{target}.fold{fold}.tsv")
    params:
        suite=subpath(input.task, ancestor=3),
        measurement="{dataset}/{task}/{design}/{target}/fold{fold}",


rule measure:
    input:
        [
            in_suite(
                layout.SEARCHED_MEASUREMENT
                if PLAN.designs[cell.design].search
                else layout.MEASUREMENT
            ).format(**cell.keys)
            for cell in PLAN.running
            if PLAN.designs[cell.design].model
        ],
