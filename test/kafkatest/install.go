package kafkatest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kafkatrace/tracing/test/internal/cache"
)

//go:embed pom.xml
var pom []byte

// Install makes sure that Kafka's jars are in the repository's cache and returns their directory. The first call on a
// machine runs Maven; later ones return at once. It is safe for concurrent use, across processes too.
func Install(ctx context.Context) (string, error) {
	version, err := Version()
	if err != nil {
		return "", err
	}
	return cache.Ensure(ctx, "kafka-"+version, func(ctx context.Context, dir string) error {
		file := filepath.Join(dir, "pom.xml")
		if err := os.WriteFile(file, pom, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "kafkatest: fetching Apache Kafka %s with Maven\n", version)
		cmd := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "--file", file,
			"dependency:copy-dependencies", "-DoutputDirectory="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("mvn (Maven and Java 17 are needed): %w\n%s", err, bytes.TrimSpace(out))
		}
		return nil
	})
}

// Version returns the version of Apache Kafka that pom.xml names.
func Version() (string, error) {
	var project struct {
		Dependencies []struct {
			Artifact string `xml:"artifactId"`
			Version  string `xml:"version"`
		} `xml:"dependencies>dependency"`
	}
	if err := xml.Unmarshal(pom, &project); err != nil {
		return "", err
	}
	for _, d := range project.Dependencies {
		if d.Artifact == "kafka_2.13" {
			return d.Version, nil
		}
	}
	return "", errors.New("kafkatest: pom.xml names no kafka_2.13")
}
