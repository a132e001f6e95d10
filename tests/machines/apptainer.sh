#!/bin/sh
# Install Apptainer for the tests, as root, on a machine without it: `sh tests/machines/apptainer.sh`. Does nothing where it is there.
# Whoever runs vitalbench for real has their site's Apptainer. Debian 12 has no package of it; Debian's unstable release has one, which is
# taken with the C library it was built for and told to load that one, so that nothing else on the machine changes.
set -eu
command -v apptainer >/dev/null && exec apptainer --version
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ "$(dpkg --print-architecture)" = amd64 ] || {
    echo "apptainer.sh: needs root on an amd64 Debian; install Apptainer by your system's means" >&2
    exit 3
}
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends patchelf squashfs-tools uidmap libseccomp2 libsqlite3-0 debootstrap fakeroot \
    squashfuse fuse-overlayfs ca-certificates >/dev/null
if apt-get install -y -qq --no-install-recommends apptainer >/dev/null 2>&1; then exec apptainer --version; fi

# The archive this machine's apt is set up with, at its unstable release; lists and downloads of its own, so that apt itself is not touched.
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed -n '/security/!{p;q;}')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive unstable main" >"$work/sources.list"
unstable() {
    (cd "$work" && apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State="$work/state" \
        -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@")
}
unstable update
unstable download apptainer libc6
dpkg -x "$work"/apptainer_*.deb "$work/apptainer"
dpkg -x "$work"/libc6_*.deb "$work/libc"

library=/opt/apptainer-libc
rm -rf "$library" && mkdir -p "$library"
cp -a "$work"/libc/usr/lib/x86_64-linux-gnu/*.so* "$library"
for program in usr/bin/apptainer usr/lib/x86_64-linux-gnu/apptainer/bin/starter; do
    patchelf --set-interpreter "$library/ld-linux-x86-64.so.2" --force-rpath \
        --set-rpath "$library:/usr/lib/x86_64-linux-gnu" "$work/apptainer/$program"
done
rm -rf "$work/apptainer/usr/share"
cp -a "$work/apptainer/." /
mkdir -p /var/lib/apptainer/mnt/session
grep -q '^root:' /etc/subuid || echo root:100000:65536 | tee -a /etc/subuid >>/etc/subgid
# Within a container itself, root may lack what "full" asks for; what unpacking and building need is then named.
capsh --has-p=cap_sys_resource 2>/dev/null || {
    sed -i 's/^root default capabilities = .*/root default capabilities = file/' /etc/apptainer/apptainer.conf
    needed=$(printf '"%s",' CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_SETGID CAP_SETUID CAP_SETFCAP CAP_SYS_CHROOT CAP_MKNOD CAP_KILL)
    echo "{\"users\":{\"root\":[${needed%,}]}}" >/etc/apptainer/capability.json
}
apptainer --version
