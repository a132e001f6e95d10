# Scores of every run, with their intervals.
rule evaluate_cell:
    input:
        status=in_suite(f"{layout.RUN}/status.json"),
        task=in_suite(layout.TASK_SLICE),
        settings=stage_slice("evaluate"),
    output:
        in_suite(f"{layout.RUN}/metrics.json"),
    log:
        in_suite(
            "log/evaluate/{dataset}.{task}.{design}.{target}.seed{seed}-fold{fold}.txt"
        ),
    resources:
        one_cell=1,
    params:
        suite=subpath(input.task, ancestor=3),
        cell="{dataset}/{task}/{design}/{target}/seed{seed}-fold{fold}",
    shell:
        "vitalbench evaluate --results {params.suite} --cell {params.cell} 2>&1 | tee {log}"


rule evaluate:
    input:
        each_running(f"{layout.RUN}/metrics.json"),
