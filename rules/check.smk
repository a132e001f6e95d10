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


# Takes the machine for itself, since what did not pass is measured again.
rule check:
    input:
        rules.ended.output,
        baselines=BASELINES,
    output:
        in_suite(layout.GATED),
    log:
        in_suite("log/check.txt"),
        json=in_suite("log/check.json"),
    threads: lambda wildcards: workflow.resource_settings.cores or 1
    params:
        suite=subpath(output[0], parent=True),
    shell:
        "vitalbench check --results {params.suite} --json {log.json} 2>&1 | tee {log[0]}"
