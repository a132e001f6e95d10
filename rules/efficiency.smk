# Designs side by side, a batch of each in turn: `snakemake efficiency`, and part of the page where the suite names them.
# A timing job like those of measure.smk: the machine alone, and what the targets declare.
rule efficiency:
    input:
        designs=[
            in_suite(layout.MEASURE_SLICE.format(design=name))
            for name in PLAN.suite.efficiency or PLAN.designs
        ],
        targets=[
            in_suite(layout.TARGET_SLICE.format(target=name)) for name in PLAN.targets
        ],
        code=stage_slice("efficiency"),
    output:
        in_suite(layout.TABLE.format(table="efficiency")),
    log:
        in_suite("log/efficiency.txt"),
    container:
        image_of_all()
    threads: cores_of_all()
    resources:
        mem_mb=needed_by_all("mem_mb"),
        runtime=needed_by_all("runtime"),
        gpu=needed_by_all("gpu"),
        gpu_model=needed_by_all("gpu_model"),
    params:
        suite=subpath(input.code, ancestor=3),
        order=PLAN.suite.efficiency,
    shell:
        "vitalbench efficiency --results {params.suite} 2>&1 | tee {log}"
