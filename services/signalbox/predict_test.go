package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

func TestPredict(t *testing.T) {
	pkg := cas.Sum([]byte("p")).String()
	one := `{"predictions":[{"late":true,"probability":0.25}],"package":"` + pkg + `","generation":7,"prediction_ids":["019a"]}`
	var body, query string
	var header http.Header
	env := serve(t, canned{
		"POST /v1/predict/delay/production": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			body = string(b)
			_, _ = io.WriteString(w, one)
		}),
		"POST /v1/predict/delay/canary?strict=true": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query, header = r.URL.RawQuery, r.Header
			_, _ = io.WriteString(w, one)
		}),
	})
	out := execute(t.Context(), env, "", "predict", "delay", "--row", "carrier=UA", "distance=719", `flight="17"`, "gust=null", "tail=9E").ok(t)
	same(t, out, "PREDICTION   late   probability\n019a         true   0.25\n\npackage      "+pkg+"\ngeneration   7")
	if want := `{"rows":[{"carrier":"UA","distance":719,"flight":"17","gust":null,"tail":"9E"}]}`; body != want {
		t.Errorf("sent %s, want %s", body, want)
	}
	for _, rows := range []string{`[{"x":1},{"x":2}]`, `{"rows":[{"x":1},{"x":2}]}`, "{\"x\":1}\n{\"x\":2}\n"} {
		execute(t.Context(), env, rows, "predict", "delay/production", "-f", "-").ok(t)
		if want := `{"rows":[{"x":1},{"x":2}]}`; body != want {
			t.Errorf("sent %s, want %s", body, want)
		}
	}
	same(t, execute(t.Context(), env, "", "predict", "delay", "--row", "x=1", "-o", "json").ok(t), `{
  "predictions": [
    {
      "late": true,
      "probability": 0.25
    }
  ],
  "package": "`+pkg+`",
  "generation": 7,
  "prediction_ids": [
    "019a"
  ]
}`)
	execute(t.Context(), env, "", "predict", "delay/canary", "--row", "x=1", "--strict", "--key", "me", "--min-generation", "7").ok(t)
	if query != "strict=true" || header.Get("Signalbox-Key") != "me" || header.Get("Signalbox-Min-Generation") != "7" {
		t.Errorf("sent %s %v", query, header)
	}
}

func TestPredictRefuses(t *testing.T) {
	env := serve(t, canned{"POST /v1/predict/delay/production": problem(422, `{"title":"Unprocessable Entity","detail":"row 0: distance is missing"}`)})
	run := func(args ...string) result {
		return execute(t.Context(), env, "[]", append([]string{"predict"}, args...)...)
	}
	run("delay", "--row", "x=1").fails(t, "predict delay/production: 422 Unprocessable Entity: row 0: distance is missing")
	run("delay").fails(t, "--row NAME=VALUE")
	run("delay", "--row", "x").fails(t, "want NAME=VALUE")
	run("delay", "--row", "x=1", "x=2").fails(t, "x is there twice")
	run("delay", "-f", "-", "x=1").fails(t, "not from both")
	run("delay", "-f", "-").fails(t, "there are no rows in it")
	run("No/Name", "--row", "x=1").fails(t, "not a name")
	run("delay/none", "--row", "x=1").fails(t, "404 Not Found")
}

func TestValues(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1", "-1.5e3": "-1.5e3", "true": "true", "null": "null", `"1"`: `"1"`, "": `""`, " 1": `" 1"`, "01": `"01"`, "NaN": `"NaN"`,
		"9E": `"9E"`, "{}": `"{}"`, "[1]": `"[1]"`, "EWR": `"EWR"`,
	} {
		if got := string(valueOf(text)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
