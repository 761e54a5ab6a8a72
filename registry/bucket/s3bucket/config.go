package s3bucket

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// Config says where the bucket is and who asks.
type Config struct {
	// Endpoint is the base URL of the server, such as "http://127.0.0.1:9000". Empty means Amazon S3 in Region.
	Endpoint string
	// Region is the region that requests are signed for; empty means "us-east-1".
	Region string
	// Bucket is the bucket's name.
	Bucket string
	// AccessKey, SecretKey and, for temporary credentials, SessionToken sign every request.
	AccessKey, SecretKey, SessionToken string
	// PathStyle puts the bucket into the path of URLs instead of the host name: most servers other than Amazon need it.
	PathStyle bool
	// Attempts is how often a request is sent at most when the server is busy, broken or racing; 0 means 5.
	Attempts int
	// HTTPClient sends the requests; nil means a client of its own with bounded waits. It must not follow redirects:
	// a signature holds for one host.
	HTTPClient *http.Client
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (c Config) withDefaults() Config {
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.HTTPClient == nil {
		c.HTTPClient = newHTTPClient()
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			faults = append(faults, errors.New("Endpoint is not a URL: want http://host:port or https://host"))
		}
	}
	if !bucketName.MatchString(c.Bucket) {
		faults = append(faults, errors.New("Bucket is not a bucket's name: want 3 to 63 of a-z, 0-9, dot and dash"))
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		faults = append(faults, errors.New("AccessKey or SecretKey is empty: unsigned requests have no conditional writes"))
	}
	if c.Attempts < 1 {
		faults = append(faults, errors.New("Attempts is negative"))
	}
	return errors.Join(faults...)
}

// newHTTPClient bounds every wait but the one for bytes that keep coming.
func newHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialer.DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConns:          256,
			MaxIdleConnsPerHost:   64, // the default of 2 would open a connection for nearly every parallel request
			IdleConnTimeout:       60 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 60 * time.Second,
			ExpectContinueTimeout: time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
