# Hyperparameter search: a trial is a job, a round of trials waits for the rounds before, and training waits for what was chosen.
# No trial sees a record of the test split.
rule trial:
    input:
        store=store_of,
        split=in_suite(layout.SPLIT),
        classes=in_suite(layout.CLASSES),
        receipt=in_suite(layout.RECEIPT),
        task=in_suite(layout.TASK_SLICE),
        objective=in_suite(layout.OBJECTIVE_SLICE),
        design=in_suite(layout.TRIAL_SLICE),
        target=in_suite(layout.TARGET_SLICE),
        earlier=trials_before,
        checkpoints=ancient(in_suite(layout.CHECKPOINT_SLICE)),
        watching=ancient(in_suite(layout.WATCH_SLICE)),
    output:
        in_suite(layout.TRIAL),
    log:
        in_suite(
            "log/search/{dataset}.{task}.{design}.{target}.fold{fold}.trial-{trial}.txt"
        ),
    container:
        image_of
    threads: lambda wildcards: PLAN.targets[wildcards.target].cores
    resources:
        mem_mb=needed("mem_mb"),
        runtime=needed("runtime"),
        gpu=needed("gpu"),
        gpu_model=needed("gpu_model"),
    params:
        suite=subpath(input.task, ancestor=3),
        search="{dataset}/{task}/{design}/{target}/fold{fold}",
        number=lambda wildcards: int(wildcards.trial),
    shell:
        "vitalbench trial --results {params.suite} --search {params.search} --trial {params.number} 2>&1 | tee -i {log}"


rule choose:
    input:
        trials=all_trials,
        design=in_suite(layout.DESIGN_SLICE),
        code=stage_slice("search"),
    output:
        in_suite(layout.CHOSEN),
        in_suite(layout.STUDY),
    log:
        in_suite("log/search/{dataset}.{task}.{design}.{target}.fold{fold}.txt"),
    params:
        suite=subpath(input.design, ancestor=3),
        search="{dataset}/{task}/{design}/{target}/fold{fold}",
    shell:
        "vitalbench search --results {params.suite} --search {params.search} 2>&1 | tee {log}"


rule search:
    input:
        [in_suite(layout.CHOSEN).format(**place.keys) for place in PLAN.searches],
