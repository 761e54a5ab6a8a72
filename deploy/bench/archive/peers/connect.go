package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// connect is a standalone worker of Kafka Connect with the Iceberg sink. What a reader of the table finds is its current
// snapshot.
type connect struct {
	dir string // jars and classes
	log string // what it logs
}

func (c *connect) about() about {
	data := func(key string) bool { return parquetFile(key) && strings.Contains(key, "/data/") }
	return about{
		name: "iceberg", title: "Kafka Connect 4.3.1 and Iceberg sink 1.12.0", guarantee: "exactly once (claimed)", data: data,
		// The first metadata that it writes after a restart are a commit of rows: the table exists by then.
		kills: [2]aim{{"a file", data, 2}, {"the table's metadata", tableMetadata, 1}},
	}
}

func tableMetadata(key string) bool { return strings.HasSuffix(key, ".metadata.json") }

func (c *connect) install(ctx context.Context, dir string) error {
	pom, err1 := written("connect/pom.xml", dir)
	config, err2 := written("connect/log4j2.properties", dir)
	source, err3 := state(files, "connect")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	c.log = config
	var err error
	c.dir, err = cached(ctx, "archive-connect", source, func(dir string) error {
		if err := command(ctx, "mvn", "-q", "-B", "-f", pom, "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
			"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(dir, "libs")); err != nil {
			return err
		}
		return compile(ctx, dir)
	})
	return err
}

// compile compiles what is ours into a folder of classes beside the jars.
func compile(ctx context.Context, dir string) error {
	const folder = "connect/src/dev/signalbox/peers"
	classes, sources := filepath.Join(dir, "classes"), []string(nil)
	entries, err := files.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, err := written(folder+"/"+e.Name(), dir)
		if err != nil {
			return err
		}
		sources = append(sources, source)
	}
	if err := command(ctx, "javac", append([]string{"-cp", filepath.Join(dir, "libs", "*"), "-d", classes}, sources...)...); err != nil {
		return err
	}
	// A worker that does not scan finds transforms by this.
	services := filepath.Join(classes, "META-INF", "services")
	if err := os.MkdirAll(services, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(services, "org.apache.kafka.connect.transforms.Transformation"), []byte("dev.signalbox.peers.CloudEventToStruct\n"), 0o644)
}

// java is a program of the class path. The sink is given 2 GiB of heap, as much as it asks for at the most.
func (c *connect) java(ctx context.Context, r *run, args ...string) *exec.Cmd {
	jvm := []string{"-Xmx2g", "-Dlog4j2.configurationFile=" + c.log, "-Dorg.xerial.snappy.tempdir=" + r.dir,
		"-Dorg.sqlite.tmpdir=" + r.dir, "-cp", filepath.Join(c.dir, "classes") + ":" + filepath.Join(c.dir, "libs", "*")}
	return exec.CommandContext(ctx, "java", append(jvm, args...)...)
}

func (c *connect) start(ctx context.Context, r *run) (process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, rest, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close(), os.MkdirAll(filepath.Join(r.dir, "plugins"), 0o755)); err != nil {
		return nil, err
	}
	if err := ensure(ctx, r.servers.Kafka.Addr(), r.name+"-control"); err != nil {
		return nil, err
	}
	fill := c.settings(r, "@REST@", rest)
	catalog, err := c.write(r, "catalog.properties", fill)
	if err != nil {
		return nil, err
	}
	if _, err := c.write(r, "worker.properties", fill); err != nil {
		return nil, err
	}
	if _, err := c.write(r, "sink.properties", append(fill, "@CATALOG@", prefixed(catalog, "iceberg.catalog."))); err != nil {
		return nil, err
	}
	return launch(c.java(context.WithoutCancel(ctx), r, "org.apache.kafka.connect.cli.ConnectStandalone",
		filepath.Join(r.dir, "worker.properties"), filepath.Join(r.dir, "sink.properties")), r.log())
}

// settings stand for the names in the files of properties.
func (c *connect) settings(r *run, more ...string) []string {
	s3 := r.servers.Bucket(r.name)
	return append(more, "@BROKER@", r.servers.Kafka.Addr(), "@DIR@", r.dir, "@NAME@", r.name, "@TOPIC@", r.topic.Topic, "@BUCKET@", s3.Bucket,
		"@S3_ENDPOINT@", s3.Endpoint, "@ACCESS_KEY@", s3.AccessKey, "@SECRET_KEY@", s3.SecretKey)
}

func (c *connect) write(r *run, name string, fill []string) (string, error) {
	b, err := files.ReadFile("connect/" + name)
	if err != nil {
		return "", err
	}
	text := strings.NewReplacer(fill...).Replace(string(b))
	return text, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600)
}

// prefixed makes properties of the sink of those of its catalog.
func prefixed(properties, prefix string) string {
	lines := strings.Split(strings.TrimSpace(properties), "\n")
	return prefix + strings.Join(lines, "\n"+prefix)
}

func (c *connect) group(r *run) string { return "connect-" + r.name }

// rows asks the table's newest metadata.
func (c *connect) rows(ctx context.Context, r *run) (int64, error) {
	var newest bucket.Attrs
	for o, err := range r.bucket.List(ctx, "") {
		if err != nil {
			return 0, err
		}
		// Their names begin with a number, which one that was never committed shares with one that was.
		if tableMetadata(o.Key) && !o.Modified.Before(newest.Modified) {
			newest = o
		}
	}
	if newest.Key == "" {
		return 0, nil
	}
	body, _, err := r.bucket.Get(ctx, newest.Key, bucket.Range{})
	if err != nil {
		return 0, err
	}
	defer body.Close()
	var table tableState
	if err := json.NewDecoder(body).Decode(&table); err != nil {
		return 0, fmt.Errorf("%s: %w", newest.Key, err)
	}
	return table.rows(), nil
}

// tableState is what an Iceberg table's metadata say of its rows.
type tableState struct {
	Current   int64 `json:"current-snapshot-id"`
	Snapshots []struct {
		ID      int64 `json:"snapshot-id"`
		Summary struct {
			Rows int64 `json:"total-records,string"`
		} `json:"summary"`
	} `json:"snapshots"`
}

func (t tableState) rows() int64 {
	for _, s := range t.Snapshots {
		if s.ID == t.Current {
			return s.Summary.Rows
		}
	}
	return 0
}

// files asks Iceberg itself, once the worker is gone.
func (c *connect) files(ctx context.Context, r *run) ([]string, error) {
	// The worker may have reached S3 through a proxy that is gone.
	if _, err := c.write(r, "catalog.properties", c.settings(r)); err != nil {
		return nil, err
	}
	cmd := c.java(ctx, r, "dev.signalbox.peers.DataFiles", filepath.Join(r.dir, "catalog.properties"))
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("files of the table: %w\n%s", err, out)
	}
	var keys []string
	for line := range strings.Lines(string(out)) {
		key, ok := strings.CutPrefix(strings.TrimSpace(line), "s3://"+r.name+"/")
		if !ok {
			return nil, fmt.Errorf("a file of the table is at %q", line)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
