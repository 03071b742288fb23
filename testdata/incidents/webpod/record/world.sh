# world.sh DIR COMMAND… runs a command where / is an overlay of / whose changes
# are in DIR alone, and gone with it, and where the kernel says of itself only
# what anybody may know. It wants a mount, a UTS and a network namespace of its
# own, whose mounts reach no other.
set -e
w=$1
shift
mount -t tmpfs -o mode=755 tmpfs "$w"
mkdir "$w/upper" "$w/work" "$w/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$w/upper,workdir=$w/work" "$w/root"
for d in proc dev; do mount --rbind "/$d" "$w/root/$d"; done
mount -t sysfs sysfs "$w/root/sys"
mount --rbind /sys/fs/cgroup "$w/root/sys/fs/cgroup"
mount --bind /tmp "$w/root/tmp"
echo 'console=ttyS0 quiet' >"$w/cmdline"
echo "Linux version $(uname -r) (builder@example.com)" >"$w/version"
for f in cmdline version; do mount --bind "$w/$f" "$w/root/proc/$f"; done
hostname node-1
ip link set lo up
cd "$w/root"
mkdir .was
pivot_root . .was
umount -l /.was
rmdir /.was
exec "$@"
