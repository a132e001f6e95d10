# The gates at the end: everything above is made whatever happened; these fail if a cell did, or if the suite is not what it was.
rule ended:
    input:
        rules.report.output,
        rules.compare.input,
    output:
        in_suite(layout.CHECKED),
    log:
        in_suite("log/ended.txt"),
    params:
        suite=subpath(output[0], parent=True),
    shell:
        "vitalbench check --results {params.suite} --cells-only 2>&1 | tee {log}"


# A timing job like those of measure.smk, since what did not pass is measured again: the machine alone, and what the targets declare. It
# confirms a failure itself; a profile's retries would give it further chances to pass.
rule check:
    input:
        rules.ended.output,
        baselines=BASELINES,
    output:
        in_suite(layout.GATED),
    log:
        in_suite("log/check.txt"),
        json=in_suite("log/check.json"),
    retries: 0
    container:
        image_of_all()
    threads: cores_of_all()
    resources:
        mem_mb=needed_by_all("mem_mb"),
        runtime=needed_by_all("runtime"),
        gpu=needed_by_all("gpu"),
        gpu_model=needed_by_all("gpu_model"),
    params:
        suite=subpath(output[0], parent=True),
    shell:
        "vitalbench check --results {params.suite} --json {log.json} 2>&1 | tee {log[0]}"
