#!/bin/sh
# A SLURM of one node on this machine, for tests: `sh tests/machines/slurm.sh start FOLDER`; `sh tests/machines/slurm.sh stop FOLDER` ends what
# it started. As root, without systemd and without accounting; installs SLURM and munge from Debian's packages where they are not there. All
# it writes is in FOLDER, but for links in /etc/slurm: jobs of jobs lose the environment that would name another place. Two GPUs are
# declared that are none, so that their scheduling is real and their use is not.
set -eu
action=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
conf=$folder/slurm.conf

stop() {
    # Jobs first: they would outlive the daemons.
    if [ -e "$folder/slurmctld.pid" ] && [ "$(readlink /etc/slurm/slurm.conf || true)" = "$conf" ]; then
        timeout 10 scancel --full --signal=KILL --state=RUNNING --user=root || true
        timeout 10 scancel --user=root || true
        tries=0
        while [ "$tries" -lt 50 ] && [ -n "$(timeout 10 squeue --noheader || true)" ]; do
            tries=$((tries + 1))
            sleep 0.2
        done
        # What was left of a job whose node was set down: its parent was all that told SLURM whose it is (proctrack/linuxproc).
        for environment in /proc/[0-9]*/environ; do
            tr '\0' '\n' 2>/dev/null <"$environment" | grep -qx SLURM_CLUSTER_NAME=onenode || continue
            process=${environment#/proc/}
            kill -KILL "${process%/environ}" 2>/dev/null || true
        done
    fi
    for daemon in slurmd slurmctld munged; do
        pid=$(cat "$folder/$daemon.pid" 2>/dev/null || true)
        [ -n "$pid" ] && kill "$pid" 2>/dev/null || true
        rm -f "$folder/$daemon.pid"
    done
    for file in slurm.conf gres.conf; do
        [ "$(readlink "/etc/slurm/$file" || true)" = "$folder/$file" ] && rm "/etc/slurm/$file" || true
    done
}

install() {
    command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
        echo "slurm.sh: needs root on Debian, or slurmctld, slurmd and munged in the path" >&2
        exit 3
    }
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null
}

configure() {
    cores=$(nproc)
    memory=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
    host=$(hostname -s)
    mkdir -p "$folder/state" "$folder/spool" "$folder/log"
    cat >"$conf" <<CONF
ClusterName=onenode
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that went back into the queue waits for the credential of its last start to expire: two minutes, were it not said here.
AuthInfo=socket=$folder/munge.socket,cred_expire=20
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
# A more urgent partition takes the node from a job of another, which is put back into the queue.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
OverTimeLimit=0
MinJobAge=600
ReturnToService=1
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory Gres=gpu:h100:2 State=UNKNOWN
PartitionName=cpu Nodes=$host Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=gpu Nodes=$host MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=urgent Nodes=$host MaxTime=INFINITE PriorityTier=9 State=UP
CONF
    # Devices that are on every machine, one a GPU.
    printf 'Name=gpu Type=h100 File=/dev/null\nName=gpu Type=h100 File=/dev/zero\n' >"$folder/gres.conf"
}

start() {
    stop
    [ ! -e /etc/slurm/slurm.conf ] || {
        echo "slurm.sh: /etc/slurm/slurm.conf is there: this machine belongs to a SLURM already" >&2
        exit 3
    }
    mkdir -p /etc/slurm
    ln -sf "$folder/slurm.conf" "$folder/gres.conf" /etc/slurm/
    dd if=/dev/urandom of="$folder/munge.key" bs=128 count=1 status=none
    chmod 600 "$folder/munge.key"
    munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
        --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed"
    slurmctld
    slurmd
    tries=0
    until sinfo --noheader --format=%T 2>/dev/null | grep -q idle; do
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || {
            echo "slurm.sh: no idle node after 30 s; see $folder/log" >&2
            exit 1
        }
        sleep 0.2
    done
}

case $action in
start) install && configure && start && sinfo --Node --format='%N %P %T %c %m %G' ;;
stop) stop ;;
*) echo "slurm.sh: start FOLDER or stop FOLDER" >&2 && exit 2 ;;
esac
