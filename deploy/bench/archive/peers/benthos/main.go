// Command benthos is Benthos with the parts that an archive of Kafka in Parquet on S3 needs, and no others.
package main

import (
	"context"

	_ "github.com/benthosdev/benthos/v4/public/components/aws"           // the output aws_s3
	_ "github.com/benthosdev/benthos/v4/public/components/io"            // what its own configuration refers to
	_ "github.com/benthosdev/benthos/v4/public/components/kafka"         // the input kafka_franz
	_ "github.com/benthosdev/benthos/v4/public/components/pure"          // mappings
	_ "github.com/benthosdev/benthos/v4/public/components/pure/extended" // parquet_encode
	"github.com/benthosdev/benthos/v4/public/service"
)

func main() { service.RunCLI(context.Background()) }
