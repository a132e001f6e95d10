# Patient-level splits, and the audit whose receipt training asks for.
rule assign:
    input:
        store=store_of,
        neighbours=copies_to_leave_out,
        task=in_suite(layout.TASK_SLICE),
        code=stage_slice("split"),
    output:
        in_suite(layout.SPLIT),
        in_suite(layout.CLASSES),
        in_suite(layout.UNMADE),
    log:
        in_suite("log/split/{dataset}.{task}.fold{fold}.txt"),
    params:
        suite=subpath(input.task, ancestor=3),
    shell:
        # A split that cannot be made does not end the run here: its cells fail and say why, the other cells' tables are made.
        "vitalbench split --results {params.suite} --dataset {wildcards.dataset} --task {wildcards.task}"
        " --fold {wildcards.fold} --report-only 2>&1 | tee {log}"


# Records that are copies of one another are looked for once a store, whatever the split and the task.
rule neighbours:
    input:
        store=f"{DATA}/store.h5",
        code=f"{DATA}/{layout.NEIGHBOURS_SLICE}",
    output:
        f"{DATA}/{layout.NEIGHBOURS}",
        f"{DATA}/{layout.NEIGHBOURS_RECEIPT}",
    log:
        f"{DATA}/log/neighbours.txt",
    threads: 2
    params:
        folder=subpath(input.store, parent=True),
    shell:
        "vitalbench neighbours --data {params.folder} --threads {threads} 2>&1 | tee {log}"


rule audit:
    input:
        split=in_suite(layout.SPLIT),
        unmade=in_suite(layout.UNMADE),
        store=store_of,
        neighbours=neighbours_of,
        fitted_on=fitted_on,
        code=stage_slice("split"),
    output:
        in_suite(layout.RECEIPT),
    log:
        in_suite("log/audit/{dataset}.{task}.fold{fold}.txt"),
    params:
        options=audit_options,
    shell:
        # A leak does not end the run here: the receipt says so, no cell trains on it, the tables show it, the last gate fails.
        "vitalbench audit --records {input.split} --store {input.store} --unmade {input.unmade} {params.options}"
        " --receipt {output} --report-only"
        " 2>&1 | tee {log}"


rule split:
    input:
        each_running(layout.RECEIPT),
