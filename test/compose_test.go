// Package test checks what the repository ships beside Go code. What needs services is in its sub-packages.
package test

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kafkatrace/tracing/test/collectortest"
	"github.com/kafkatrace/tracing/test/internal/cache"
	"github.com/kafkatrace/tracing/test/kafkatest"
	"github.com/kafkatrace/tracing/test/prometheustest"
)

// compose loads docker-compose.yml as `docker compose config` does, with every profile on: unknown keys, services that
// do not exist and cycles are errors.
func compose(t *testing.T) (root string, project *types.Project) {
	t.Helper()
	root, err := cache.Root()
	if err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err = options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root, project
}

func TestComposeServices(t *testing.T) {
	_, project := compose(t)
	for _, name := range []string{"kafka", "topics", "otel-collector", "jaeger", "prometheus", "grafana"} {
		if _, ok := project.Services[name]; !ok {
			t.Errorf("no service %s", name)
		}
	}
}

// Who does not ask for the metrics profile gets what there was before it.
func TestComposeProfiles(t *testing.T) {
	_, project := compose(t)
	for name, service := range project.Services {
		metrics := name == "prometheus" || name == "grafana"
		if got := slices.Equal(service.Profiles, []string{"metrics"}); got != metrics || !metrics && len(service.Profiles) > 0 {
			t.Errorf("service %s has the profiles %v", name, service.Profiles)
		}
	}
}

func TestComposeImagesArePinned(t *testing.T) {
	_, project := compose(t)
	version := regexp.MustCompile(`:v?\d+\.\d+(\.\d+)?(-[\w.]+)?(@sha256:[0-9a-f]{64})?$`)
	for name, service := range project.Services {
		if !version.MatchString(service.Image) {
			t.Errorf("service %s: image %q has no version", name, service.Image)
		}
	}
}

// What the tests run natively is what the containers run.
func TestComposeImagesAreTheTestedVersions(t *testing.T) {
	_, project := compose(t)
	kafka, err := kafkatest.Version()
	if err != nil {
		t.Fatal(err)
	}
	collector, err := collectortest.Version()
	if err != nil {
		t.Fatal(err)
	}
	for service, image := range map[string]string{
		"kafka":          "apache/kafka:" + kafka,
		"topics":         "apache/kafka:" + kafka,
		"otel-collector": "otel/opentelemetry-collector-contrib:" + collector,
		"prometheus":     "prom/prometheus:v" + prometheustest.Version,
	} {
		if got := project.Services[service].Image; got != image {
			t.Errorf("service %s: image %s, want %s", service, got, image)
		}
	}
}

func TestComposePortsAreOnLoopback(t *testing.T) {
	_, project := compose(t)
	published := map[string][]string{}
	for name, service := range project.Services {
		for _, port := range service.Ports {
			if ip, err := netip.ParseAddr(port.HostIP); err != nil || !ip.IsLoopback() {
				t.Errorf("service %s: port %s is published on %q, not on loopback", name, port.Published, port.HostIP)
			}
			published[name] = append(published[name], port.Published)
		}
	}
	for name, ports := range map[string][]string{
		"kafka": {"9092"}, "otel-collector": {"4317", "4318"}, "jaeger": {"16686"},
		"prometheus": {"9090"}, "grafana": {"3000"},
	} {
		if !slices.Equal(published[name], ports) {
			t.Errorf("service %s: published ports %v, want %v", name, published[name], ports)
		}
	}
}

func TestComposeHealthChecks(t *testing.T) {
	_, project := compose(t)
	for name, service := range project.Services {
		if name == "otel-collector" {
			continue // Its image has no program that could check; see below.
		}
		if service.HealthCheck == nil || service.HealthCheck.Disable || len(service.HealthCheck.Test) == 0 {
			t.Errorf("service %s has no health check", name)
		}
	}
	topics := project.Services["topics"]
	if check := strings.Join(topics.HealthCheck.Test, " "); !strings.Contains(check, "/dev/tcp/otel-collector/13133") {
		t.Errorf("the topics service does not check the collector's health: %s", check)
	}
	if got := topics.DependsOn["kafka"].Condition; got != types.ServiceConditionHealthy {
		t.Errorf("the topics service does not wait for a healthy kafka, but for %q", got)
	}
}

func TestComposeCreatesTheTopics(t *testing.T) {
	_, project := compose(t)
	command := strings.Join(project.Services["topics"].Command, " ")
	for _, want := range []string{"orders shipments", "--create --if-not-exists", "--partitions 3"} {
		if !strings.Contains(command, want) {
			t.Errorf("the topics service's command has no %q:\n%s", want, command)
		}
	}
}

func TestComposeMountsExist(t *testing.T) {
	root, project := compose(t)
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("service %s mounts what does not exist: %v", name, err)
			}
			if rel, err := filepath.Rel(root, volume.Source); err != nil || strings.HasPrefix(rel, "..") {
				t.Errorf("service %s mounts %s from outside the repository", name, volume.Source)
			}
		}
	}
}
