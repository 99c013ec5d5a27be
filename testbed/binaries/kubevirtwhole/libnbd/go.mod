// Stands in for libguestfs.org/libnbd, which not every module proxy has: KubeVirt reads backups with it.
module libguestfs.org/libnbd

go 1.24
