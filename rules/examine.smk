# What a clinic asks of the designs that a suite names for it: all seeds of a place together, and of the first one pictures.
rule examine_place:
    input:
        runs=lambda wildcards: runs_at(wildcards, "metrics.json"),
        task=in_suite(layout.TASK_SLICE),
        settings=stage_slice("examine"),
    output:
        [
            in_suite(f"{layout.EXAMINED}/{name}.csv")
            for name in (
                "operating",
                "calibration",
                "conformal",
                "disparity",
                "curves",
                "failures",
                "ensemble",
            )
        ],
    log:
        in_suite("log/examine/{dataset}.{task}.{design}.{target}.fold{fold}.txt"),
    resources:
        mem_mb=needed("mem_mb"),
        runtime=needed("runtime"),
    params:
        suite=subpath(input.task, ancestor=3),
        place="{dataset}/{task}/{design}/{target}/fold{fold}",
    shell:
        "vitalbench examine --results {params.suite} --place {params.place} 2>&1 | tee {log}"


rule explain_place:
    input:
        runs=lambda wildcards: runs_at(wildcards, "status.json"),
        store=lambda wildcards: ancient(store_of(wildcards)),
        settings=stage_slice("explain"),
        # Pictures that may no longer be shown are made no more, and those that were go before the job.
        shown=in_suite(layout.PICTURES_SLICE),
    output:
        in_suite(f"{layout.EXAMINED}/pointing.csv"),
        in_suite(f"{layout.EXAMINED}/gallery.csv"),
        directory(in_suite(f"{layout.EXAMINED}/gallery")),
    log:
        in_suite("log/explain/{dataset}.{task}.{design}.{target}.fold{fold}.txt"),
    resources:
        mem_mb=needed("mem_mb"),
        runtime=needed("runtime"),
    params:
        suite=subpath(input.settings, ancestor=3),
        place="{dataset}/{task}/{design}/{target}/fold{fold}",
    shell:
        "vitalbench explain --results {params.suite} --place {params.place} 2>&1 | tee {log}"


rule examine:
    input:
        [
            in_suite(f"{layout.EXAMINED}/{table}.csv").format(**place.keys)
            for place in PLAN.examined
            for table in ("operating", "gallery")
        ],
