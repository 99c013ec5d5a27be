// Prints KubeVirt's own objects as one JSON List: manifests crds|rbac|api NAMESPACE.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
)

type list struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Items      []any  `json:"items"`
}

func main() {
	if len(os.Args) != 3 {
		fail("usage: manifests crds|rbac|api NAMESPACE")
	}
	printed := list{APIVersion: "v1", Kind: "List"}
	switch namespace := os.Args[2]; os.Args[1] {
	case "crds":
		printed.Items = crds()
	case "rbac":
		printed.Items = accounts(namespace)
	case "api":
		printed.Items = api(namespace)
	default:
		fail("unknown: " + os.Args[1])
	}
	if err := json.NewEncoder(os.Stdout).Encode(printed); err != nil {
		fail(err.Error())
	}
}

func crds() []any {
	var all []any
	for _, create := range []func() (*extv1.CustomResourceDefinition, error){
		components.NewVirtualMachineInstanceCrd,
		components.NewVirtualMachineCrd,
		components.NewPresetCrd,
		components.NewReplicaSetCrd,
		components.NewVirtualMachineInstanceMigrationCrd,
		components.NewKubeVirtCrd,
		components.NewVirtualMachinePoolCrd,
		components.NewVirtualMachineSnapshotCrd,
		components.NewVirtualMachineSnapshotContentCrd,
		components.NewVirtualMachineRestoreCrd,
		components.NewVirtualMachineExportCrd,
		components.NewVirtualMachineBackupCrd,
		components.NewVirtualMachineBackupTrackerCrd,
		components.NewVirtualMachineInstancetypeCrd,
		components.NewVirtualMachineClusterInstancetypeCrd,
		components.NewVirtualMachinePreferenceCrd,
		components.NewVirtualMachineClusterPreferenceCrd,
		components.NewMigrationPolicyCrd,
		components.NewVirtualMachineCloneCrd,
	} {
		crd, err := create()
		if err != nil {
			fail(err.Error())
		}
		all = append(all, crd)
	}
	return all
}

// accounts are the service accounts of KubeVirt's programs, their roles, and its users' roles.
func accounts(namespace string) []any {
	var all []any
	all = append(all, anys(rbac.GetAllCluster())...)
	all = append(all, anys(rbac.GetAllController(namespace, true))...)
	all = append(all, anys(rbac.GetAllApiServer(namespace))...)
	all = append(all, anys(rbac.GetAllHandler(namespace))...)
	return all
}

// api is what makes virt-api take part: its Service, webhooks and aggregated API.
func api(namespace string) []any {
	all := []any{
		components.NewApiServerService(namespace),
		components.NewVirtAPIMutatingWebhookConfiguration(namespace),
		components.NewVirtAPIValidatingWebhookConfiguration(namespace),
		components.NewVirtLauncherPodMutatingWebhookConfiguration(namespace),
	}
	return append(all, anys(components.NewVirtAPIAPIServices(namespace))...)
}

func anys[T any](items []T) []any {
	all := make([]any, 0, len(items))
	for _, item := range items {
		all = append(all, item)
	}
	return all
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
