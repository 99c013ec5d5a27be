// Package libnbd has the names that virt-launcher links, and opens nothing: no VM here is backed up.
package libnbd

import "errors"

const (
	CONTEXT_BASE_ALLOCATION   = "base:allocation"
	CONTEXT_QEMU_DIRTY_BITMAP = "qemu:dirty-bitmap:"
	STATE_HOLE                = 1
	STATE_ZERO                = 2
	STATE_DIRTY               = 1
)

var errAbsent = errors.New("this build of virt-launcher has no libnbd")

type Libnbd struct{}

type LibnbdExtent struct{ Length, Flags uint64 }

type (
	ExtentCallback       func(context string, offset uint64, entries []LibnbdExtent, failed *int) int
	BlockStatus64Optargs struct{}
	PreadOptargs         struct{}
)

func Create() (*Libnbd, error) { return nil, errAbsent }

func (*Libnbd) Close() error                        { return nil }
func (*Libnbd) AddMetaContext(string) error         { return errAbsent }
func (*Libnbd) CanMetaContext(string) (bool, error) { return false, errAbsent }
func (*Libnbd) ConnectUnix(string) error            { return errAbsent }
func (*Libnbd) GetSize() (uint64, error)            { return 0, errAbsent }
func (*Libnbd) SetExportName(string) error          { return errAbsent }

func (*Libnbd) Pread([]byte, uint64, *PreadOptargs) error { return errAbsent }

func (*Libnbd) BlockStatus64(uint64, uint64, ExtentCallback, *BlockStatus64Optargs) error {
	return errAbsent
}
