package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket/probe"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/config"
)

// parts are what roles share. All but kafka, producer and remote are nil where only predictions are served.
type parts struct {
	kafka    kafka.Config
	producer *kafka.Producer
	admin    *kafka.Admin
	remote   *remote.Client
	catalog  *pgcatalog.Catalog
	bucket   *s3bucket.Bucket
	registry *registry.Registry
}

// open connects what the roles need and adds its end to the group.
func (a *app) open(ctx context.Context, roles []role) error {
	a.kafka = kafkaConfig(a.cfg.Kafka)
	a.kafka.Log = a.log
	var err error
	if a.remote, err = remote.New(remote.Config{URL: a.cfg.URL, Token: a.cfg.Token}); err != nil {
		return err
	}
	if a.producer, err = kafka.NewProducer(kafka.ProducerConfig{Config: a.kafka}); err != nil {
		return err
	}
	a.closing("producer", a.producer.Close)
	if !slices.ContainsFunc(roles, func(r role) bool { return r != rolePredict }) {
		return nil
	}
	if err := a.openBucket(ctx); err != nil {
		return err
	}
	if err := a.openCatalog(ctx); err != nil {
		return err
	}
	if err := a.openTopics(ctx); err != nil {
		return err
	}
	a.registry, err = registry.New(registry.Config{
		Catalog: a.catalog, Store: cas.NewStore(a.bucket), Signer: a.bucket, Judge: judge, Log: a.log,
	})
	return err
}

// kafkaConfig says how to reach the brokers.
func kafkaConfig(c config.Kafka) kafka.Config {
	return kafka.Config{
		Brokers: c.Brokers, SessionTimeout: c.SessionTimeout, GroupProtocol: c.GroupProtocol, SASL: kafka.SASL(c.SASL), TLS: kafka.TLS(c.TLS),
	}
}

// closing adds a worker that only ends something.
func (a *app) closing(name string, end func(context.Context) error) {
	a.group.Add(name, func(ctx context.Context) error {
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return end(bounded)
	})
}

func openBucket(cfg config.S3) (*s3bucket.Bucket, error) {
	return s3bucket.New(s3bucket.Config{
		Endpoint: cfg.Endpoint, Region: cfg.Region, Bucket: cfg.Bucket, AccessKey: cfg.AccessKey, SecretKey: cfg.SecretKey,
		PathStyle: cfg.Endpoint != "",
	})
}

// openBucket refuses a store that breaks the promises which "exactly once" rests on.
func (a *app) openBucket(ctx context.Context) error {
	var err error
	if a.bucket, err = openBucket(a.cfg.S3); err != nil {
		return err
	}
	a.closing("object store", func(context.Context) error { a.bucket.Close(); return nil })
	if a.embedded {
		if err := a.bucket.EnsureBucket(ctx); err != nil {
			return err
		}
	}
	var report probe.Report
	if err := a.patiently(ctx, "object store", func(ctx context.Context) error {
		var err error
		report, err = probe.Run(ctx, a.bucket, probe.Config{Writers: 4, Keys: 2})
		return err
	}); err != nil {
		return fmt.Errorf("object store: %w", err)
	}
	return report.Err()
}

func (a *app) openCatalog(ctx context.Context) error {
	if err := a.patiently(ctx, "database", func(ctx context.Context) error {
		var err error
		a.catalog, err = pgcatalog.Open(ctx, pgcatalog.Config{URL: a.cfg.DatabaseURL, MaxConns: 16, Log: a.log})
		return err
	}); err != nil {
		return err
	}
	a.closing("catalog", func(context.Context) error { a.catalog.Close(); return nil })
	a.ready = append(a.ready, check{"the database", a.catalog.Ping})
	return a.catalog.Migrate(ctx)
}

// openTopics makes the topics that everything stands on, and those of streams that were declared while Kafka was another.
func (a *app) openTopics(ctx context.Context) error {
	var err error
	if a.admin, err = kafka.NewAdmin(kafka.AdminConfig{Config: a.kafka, ReplicationFactor: a.cfg.Kafka.Replication}); err != nil {
		return err
	}
	a.closing("kafka admin", func(context.Context) error { a.admin.Close(); return nil })
	a.ready = append(a.ready, check{"kafka", a.admin.Ping})
	if err := a.patiently(ctx, "kafka", a.admin.Ping); err != nil {
		return err
	}
	topics := events.LifecycleTopics()
	streams, err := a.catalog.ListSpecs(ctx, spec.KindStream)
	if err != nil {
		return err
	}
	for _, s := range streams {
		body, err := spec.Read[spec.Stream](s.Body)
		if err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
		topics = append(topics, events.TopicSpec{Name: events.StreamTopic(s.Name), Partitions: body.TopicPartitions()})
	}
	return a.admin.EnsureTopics(ctx, topics)
}

// judge has the word on what package registry cannot know: whether a dataset's SQL can be compiled.
func judge(_ spec.Document, body any) error {
	if d, ok := body.(*spec.Dataset); ok {
		return compile.Validate(*d)
	}
	return nil
}

// authenticator knows the static tokens. Where no run is served any key will do: none of its tokens exist.
func authenticator(cfg config.Config, tokens []auth.Token) (*auth.Authenticator, error) {
	key := []byte(cfg.RunKey)
	if len(key) == 0 {
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("run key: %w", err)
		}
	}
	return auth.New(tokens, key)
}
