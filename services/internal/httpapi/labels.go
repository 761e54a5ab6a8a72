package httpapi

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// routeLabels are what requests of one route are measured by. They are made once for each status.
type routeLabels struct {
	route string
	known sync.Map // status to *labels
}

type labels struct {
	list   []attribute.KeyValue
	record metric.MeasurementOption
}

func (r *routeLabels) of(status int) *labels {
	if l, ok := r.known.Load(status); ok {
		return l.(*labels)
	}
	set := attribute.NewSet(attribute.String("http.route", r.route), attribute.Int("http.response.status_code", status))
	l, _ := r.known.LoadOrStore(status, &labels{list: set.ToSlice(), record: metric.WithAttributeSet(set)})
	return l.(*labels)
}
