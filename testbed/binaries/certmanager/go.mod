// cert-manager's CRDs, against which its overlay is tested. No code of it is built: `go mod tidy`
// would drop it; to raise it, `go get` the version, then `go mod download` it.
module kubemacpool.io/e2e/cluster/binaries/certmanager

go 1.26.0

require github.com/cert-manager/cert-manager v1.21.2
