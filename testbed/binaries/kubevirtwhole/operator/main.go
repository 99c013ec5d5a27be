// Prints what brings virt-operator up, as KubeVirt's release has it, as one JSON List:
// operator NAMESPACE REGISTRY TAG.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
)

// The release has this class in a manifest of its own, manifests/generated/kubevirt-priority-class.yaml.
var priority = schedulingv1.PriorityClass{
	TypeMeta:   metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1", Kind: "PriorityClass"},
	ObjectMeta: metav1.ObjectMeta{Name: "kubevirt-cluster-critical"},
	Value:      1000000000,
}

func main() {
	if len(os.Args) != 4 {
		fail("usage: operator NAMESPACE REGISTRY TAG")
	}
	namespace, registry, tag := os.Args[1], os.Args[2], os.Args[3]
	crd, err := components.NewKubeVirtCrd()
	if err != nil {
		fail(err.Error())
	}
	own := corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   namespace,
			Labels: map[string]string{"kubevirt.io": "", "pod-security.kubernetes.io/enforce": "privileged"},
		},
	}
	items := append([]any{own, crd, priority}, rbac.GetAllOperator(namespace)...)
	printed := map[string]any{"apiVersion": "v1", "kind": "List", "items": append(items, operator(namespace, registry, tag))}
	if err := json.NewEncoder(os.Stdout).Encode(printed); err != nil {
		fail(err.Error())
	}
}

// operator is the Deployment, which finds the names of all other images by its own.
func operator(namespace, registry, tag string) any {
	return components.NewOperatorDeployment(
		namespace, registry, "", tag, "2", tag, "", "", "", "", "", "", "", "", "", "", "", "", "", "",
		corev1.PullIfNotPresent,
	)
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
