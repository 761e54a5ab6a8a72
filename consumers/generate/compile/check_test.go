package compile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// orders is a spec with every part.
func orders() spec.Dataset {
	return spec.Dataset{
		Window:    spec.Window{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Every: spec.Duration(24 * time.Hour)},
		Available: spec.AvailableRecorded,
		Sources: map[string]spec.Source{
			"placed": {Stream: "shop", Type: "order.placed", Fields: map[string]string{
				"order": "string", "who": "string", "items": "integer", "amount": "number", "gift": "boolean", "wanted": "timestamp"}},
			"again":  {Stream: "shop", Type: "order.placed", Fields: map[string]string{"who": "string", "amount": "number"}},
			"paid":   {Stream: "shop", Type: "order.paid", Fields: map[string]string{"order": "string", "method": "string"}},
			"unused": {Stream: "shop", Type: "order.sent", Fields: map[string]string{"order": "string"}},
		},
		Spine: spec.Spine{From: "placed", Key: []string{"customer"}, Where: "amount > 0",
			Select: map[string]string{"customer": "who", "number": `"order"`, "amount": "amount", "gift": "gift"}},
		Features: []spec.Join{{Name: "last", From: "again", Match: map[string]string{"who": "customer"}, MaxAge: spec.Duration(48 * time.Hour),
			Where: "amount < 100", Select: map[string]string{"last_amount": "amount", "last_age": "date_diff('hour', event_time, spine_time)"}}},
		Label: &spec.Join{From: "paid", Match: map[string]string{"order": "number"}, Maturity: spec.Duration(12 * time.Hour),
			Select: map[string]string{"by_card": "method = 'card'"}},
	}
}

func TestValidate(t *testing.T) {
	if err := Validate(orders()); err != nil {
		t.Fatalf("the sound spec: %v", err)
	}
	for name, c := range map[string]struct {
		change func(*spec.Dataset)
		path   string
	}{
		"the spec's own faults": {func(d *spec.Dataset) { d.Spine.From = "nowhere" }, "/spine/from"},
		"every too often":       {func(d *spec.Dataset) { d.Window.Every = spec.Duration(time.Second) }, "/window/every"},
		"no maturity":           {func(d *spec.Dataset) { d.Label.Maturity = 0 }, "/label/maturity"},
		"which label":           {func(d *spec.Dataset) { d.Label.Select["more"] = "1" }, "/label/name"},
		"field taken":           {func(d *spec.Dataset) { d.Sources["paid"].Fields["Event_Time"] = "string" }, "/sources/paid/fields/Event_Time"},
		"field of spine time":   {func(d *spec.Dataset) { d.Sources["paid"].Fields["spine_time"] = "string" }, "/sources/paid/fields/spine_time"},
		"field twice":           {func(d *spec.Dataset) { d.Sources["paid"].Fields["METHOD"] = "string" }, "/sources/paid/fields/method"},
		"column taken":          {func(d *spec.Dataset) { d.Spine.Select["event_id"] = "1" }, "/spine/select/event_id"},
		"column twice":          {func(d *spec.Dataset) { d.Features[0].Select["Amount"] = "amount" }, "/features/0/select/Amount"},
		"label is a feature":    {func(d *spec.Dataset) { d.Features[0].Select["by_card"] = "amount" }, "/label/select/by_card"},
		"expression":            {func(d *spec.Dataset) { d.Features[0].Select["x"] = "random()" }, "/features/0/select/x"},
		"spine condition":       {func(d *spec.Dataset) { d.Spine.Where = "true) OR (true" }, "/spine/where"},
		"feature condition":     {func(d *spec.Dataset) { d.Features[0].Where = "1; 2" }, "/features/0/where"},
		"label condition":       {func(d *spec.Dataset) { d.Label.Where = "(SELECT 1)" }, "/label/where"},
	} {
		t.Run(name, func(t *testing.T) {
			d := orders()
			c.change(&d)
			err := Validate(d)
			if !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), c.path+":") {
				t.Errorf("err = %v, want a fault of %s", err, c.path)
			}
			if _, err := Compile(d, nil, january()); err == nil {
				t.Error("Compile takes it")
			}
		})
	}
}

func TestLabelColumn(t *testing.T) {
	d := orders()
	if got := LabelColumn(d); got != "by_card" {
		t.Errorf("only column: %q", got)
	}
	d.Label.Select["later"] = "true"
	d.Label.Name = "later"
	if got := LabelColumn(d); got != "later" {
		t.Errorf("named column: %q", got)
	}
}
