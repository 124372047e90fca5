package dashboard

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v2"

	"github.com/kafkatrace/tracing/test/internal/cache"
)

// The types here are the parts of Grafana's formats that the shipped files use: any other key is an error.

type dashboard struct {
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Editable      bool     `json:"editable"`
	GraphTooltip  int      `json:"graphTooltip"`
	Refresh       string   `json:"refresh"`
	Time          struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type variable struct {
	Name       string     `json:"name"`
	Label      string     `json:"label"`
	Type       string     `json:"type"`
	Datasource datasource `json:"datasource"`
	Query      string     `json:"query"`
	Refresh    int        `json:"refresh"`
	Sort       int        `json:"sort"`
	Multi      bool       `json:"multi"`
	IncludeAll bool       `json:"includeAll"`
	AllValue   string     `json:"allValue"`
	Current    struct {
		Text  []string `json:"text"`
		Value []string `json:"value"`
	} `json:"current"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	GridPos     area       `json:"gridPos"`
	Datasource  datasource `json:"datasource"`
	FieldConfig struct {
		Defaults struct {
			Unit string   `json:"unit"`
			Min  *float64 `json:"min"`
		} `json:"defaults"`
		Overrides []struct{} `json:"overrides"`
	} `json:"fieldConfig"`
	Options struct {
		Legend struct {
			DisplayMode string   `json:"displayMode"`
			Placement   string   `json:"placement"`
			ShowLegend  bool     `json:"showLegend"`
			Calcs       []string `json:"calcs"`
		} `json:"legend"`
		Tooltip struct {
			Mode string `json:"mode"`
			Sort string `json:"sort"`
		} `json:"tooltip"`
	} `json:"options"`
	Targets []target `json:"targets"`
}

type area struct{ X, Y, W, H int }

func (a area) overlaps(b area) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

type target struct {
	RefID        string `json:"refId"`
	LegendFormat string `json:"legendFormat"`
	Exemplar     bool   `json:"exemplar"`
	Expr         string `json:"expr"`
}

// query is the target's query as Grafana sends it when everything is selected.
func (q target) query(rateInterval string) string { return expand(q.Expr, rateInterval) }

func expand(expr, rateInterval string) string {
	return strings.NewReplacer("$__rate_interval", rateInterval, "$service", ".*", "$topic", ".*", "$group", ".*").Replace(expr)
}

// labelValues takes a variable's query, label_values(selector, label), apart.
func (v variable) labelValues() (selector, label string, ok bool) {
	args, ok := strings.CutPrefix(v.Query, "label_values(")
	args, closed := strings.CutSuffix(args, ")")
	i := strings.LastIndex(args, ", ")
	if !ok || !closed || i < 0 {
		return "", "", false
	}
	return expand(args[:i], ""), args[i+2:], true
}

type provisionedDatasources struct {
	APIVersion  int `yaml:"apiVersion"`
	Datasources []struct {
		Name      string `yaml:"name"`
		UID       string `yaml:"uid"`
		Type      string `yaml:"type"`
		Access    string `yaml:"access"`
		URL       string `yaml:"url"`
		IsDefault bool   `yaml:"isDefault"`
		JSONData  struct {
			HTTPMethod   string `yaml:"httpMethod"`
			TimeInterval string `yaml:"timeInterval"`
			Destinations []struct {
				Name          string `yaml:"name"`
				URL           string `yaml:"url"`
				DatasourceUID string `yaml:"datasourceUid"`
				Label         string `yaml:"urlDisplayLabel"`
			} `yaml:"exemplarTraceIdDestinations"`
		} `yaml:"jsonData"`
	} `yaml:"datasources"`
}

type provisionedDashboards struct {
	APIVersion int `yaml:"apiVersion"`
	Providers  []struct {
		Name    string `yaml:"name"`
		Type    string `yaml:"type"`
		Options struct {
			Path string `yaml:"path"`
		} `yaml:"options"`
	} `yaml:"providers"`
}

// shippedDashboard reads the dashboard.
func shippedDashboard(t *testing.T) *dashboard {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(shipped(t, "deploy/grafana/dashboards/kafka.json")))
	decoder.DisallowUnknownFields()
	d := new(dashboard)
	if err := decoder.Decode(d); err != nil {
		t.Fatal(err)
	}
	return d
}

// provisioned reads a file of the provisioning.
func provisioned(t *testing.T, path string, to any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(shipped(t, "deploy/grafana/provisioning/"+path), to); err != nil {
		t.Fatal(err)
	}
}

// composed reads docker-compose.yml with every profile on.
func composed(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root(t), "docker-compose.yml")}, cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// shipped reads a file by its path in the repository.
func shipped(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := cache.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
