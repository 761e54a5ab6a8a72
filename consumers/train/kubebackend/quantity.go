package kubebackend

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Bytes reads a quantity of memory such as 4Gi.
func Bytes(text string) (int64, error) {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, fmt.Errorf("memory %q: %w", text, err)
	}
	return q.Value(), nil
}

// Amount reads a quantity that is counted, such as 500m or 2.
func Amount(text string) (float64, error) {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, fmt.Errorf("quantity %q: %w", text, err)
	}
	return q.AsApproximateFloat64(), nil
}
