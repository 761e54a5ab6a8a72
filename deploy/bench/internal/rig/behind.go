package rig

import "github.com/signalbox-ml/signalbox/registry/bucket/buckettest/minio"

// Behind returns the same servers with S3 at another address, such as that of a proxy. There is nothing to close.
func (s *Servers) Behind(endpoint string) *Servers {
	return &Servers{Kafka: s.Kafka, Postgres: s.Postgres, S3: &miniotest.Server{Endpoint: endpoint, AccessKey: s.S3.AccessKey, SecretKey: s.S3.SecretKey}}
}
