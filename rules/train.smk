# One job a cell. It ends well once it has written how it ended, so that the tables can always be made.
rule train_cell:
    input:
        store=store_of,
        split=in_suite(layout.SPLIT),
        classes=in_suite(layout.CLASSES),
        receipt=in_suite(layout.RECEIPT),
        task=in_suite(layout.TASK_SLICE),
        design=in_suite(layout.DESIGN_SLICE),
        target=in_suite(layout.TARGET_SLICE),
        search=chosen_for,
        pretrained=pretrained_of,
        # Ancient: how a run is saved changes nothing of it, so it is no reason to run again.
        checkpoints=ancient(in_suite(layout.CHECKPOINT_SLICE)),
        # And so is how it is watched, and what it may cost.
        watching=ancient(in_suite(layout.WATCH_SLICE)),
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
    container:
        image_of
    threads: lambda wildcards: PLAN.targets[wildcards.target].cores
    resources:
        mem_mb=needed("mem_mb"),
        runtime=needed("runtime"),
        gpu=needed("gpu"),
        gpu_model=needed("gpu_model"),
        one_cell=1,
    params:
        suite=subpath(input.task, ancestor=3),
        cell="{dataset}/{task}/{design}/{target}/seed{seed}-fold{fold}",
    shell:
        # A Ctrl-C reaches tee too: it stays, to show where the run was saved.
        "vitalbench train --results {params.suite} --cell {params.cell} 2>&1 | tee -i {log}"


rule train:
    input:
        each_running(f"{layout.RUN}/status.json"),
