package dashboard

import (
	"encoding/json"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/prometheus/prometheus/promql/parser"
)

// Data sources are the compose file's services, and an exemplar leads to Jaeger's page as it is published.
func TestDatasources(t *testing.T) {
	t.Parallel()
	var provisioning provisionedDatasources
	provisioned(t, "datasources/datasources.yml", &provisioning)
	project := composed(t)
	types := map[string]string{}
	for _, ds := range provisioning.Datasources {
		types[ds.UID] = ds.Type
		at, err := url.Parse(ds.URL)
		if err != nil {
			t.Fatal(err)
		}
		service, ok := project.Services[at.Hostname()]
		if !ok || !slices.ContainsFunc(service.Ports, published(at.Port())) {
			t.Errorf("data source %s: %s is no port of a service", ds.Name, ds.URL)
		}
	}
	if types["prometheus"] != "prometheus" || types["jaeger"] != "jaeger" || len(types) != 2 || provisioning.APIVersion != 1 {
		t.Errorf("data sources %v", types)
	}

	prometheus := provisioning.Datasources[0]
	if !prometheus.IsDefault || len(prometheus.JSONData.Destinations) == 0 {
		t.Errorf("the first data source is not the default one with exemplars: %+v", prometheus)
	}
	for _, to := range prometheus.JSONData.Destinations {
		if to.Name != "trace_id" { // As the collector's Prometheus exporter calls it.
			t.Errorf("exemplars have no label %q", to.Name)
		}
		if to.DatasourceUID != "" {
			if types[to.DatasourceUID] == "" {
				t.Errorf("exemplars lead to the data source %q, which is not provisioned", to.DatasourceUID)
			}
			continue
		}
		// $$ is how provisioning writes the $ of a variable that is not of the environment.
		at, ok := strings.CutSuffix(to.URL, "/trace/$${__value.raw}")
		host, err := url.Parse(at)
		if !ok || err != nil || host.Hostname() != "localhost" || !slices.ContainsFunc(project.Services["jaeger"].Ports, published(host.Port())) {
			t.Errorf("exemplars lead to %s, which is not a trace on Jaeger's published port", to.URL)
		}
	}
}

func published(port string) func(types.ServicePortConfig) bool {
	return func(p types.ServicePortConfig) bool { return p.Published == port }
}

// Grafana finds the dashboards where the compose file mounts them.
func TestDashboardIsMounted(t *testing.T) {
	t.Parallel()
	var provisioning provisionedDashboards
	provisioned(t, "dashboards/dashboards.yml", &provisioning)
	grafana := composed(t).Services["grafana"]
	mounts := map[string]string{}
	for _, volume := range grafana.Volumes {
		mounts[volume.Target] = volume.Source
	}
	for _, dir := range []string{"/datasources", "/dashboards"} {
		if got, want := mounts["/etc/grafana/provisioning"+dir], root(t)+"/deploy/grafana/provisioning"+dir; got != want {
			t.Errorf("the provisioning of %s is mounted from %q, want %q", dir, got, want)
		}
	}
	if len(provisioning.Providers) != 1 || provisioning.APIVersion != 1 || provisioning.Providers[0].Type != "file" {
		t.Fatalf("providers: %+v", provisioning)
	}
	dashboards := provisioning.Providers[0].Options.Path
	if got, want := mounts[dashboards], root(t)+"/deploy/grafana/dashboards"; got != want {
		t.Errorf("%s is mounted from %q, want %q", dashboards, got, want)
	}
	home := grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if home == nil || *home != dashboards+"/kafka.json" {
		t.Errorf("the home page is %v", home)
	}
}

// Nobody who is not asked to log in may change anything.
func TestGrafanaIsReadOnly(t *testing.T) {
	t.Parallel()
	env := composed(t).Services["grafana"].Environment
	for name, want := range map[string]string{
		"GF_AUTH_ANONYMOUS_ENABLED": "true", "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer", "GF_AUTH_BASIC_ENABLED": "false",
	} {
		if got := env[name]; got == nil || *got != want {
			t.Errorf("%s is not %s", name, want)
		}
	}
}

func TestDashboardPanels(t *testing.T) {
	t.Parallel()
	d := shippedDashboard(t)
	var all map[string]json.RawMessage
	if err := json.Unmarshal(shipped(t, "deploy/grafana/dashboards/kafka.json"), &all); err != nil {
		t.Fatal(err)
	}
	if _, ok := all["id"]; ok {
		t.Error("a provisioned dashboard has no id: Grafana gives it one")
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 || d.Time.From == "" || d.Time.To == "" {
		t.Errorf("not a dashboard: %+v", d)
	}
	prometheus := datasource{Type: "prometheus", UID: "prometheus"} // TestDatasources: it is provisioned.
	var titles []string
	for i := range d.Panels {
		p := &d.Panels[i]
		titles = append(titles, p.Title)
		if p.ID != i+1 || p.Type != "timeseries" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("panel %d, %s, lacks an id of its own, a description or a unit", i, p.Title)
		}
		if p.Datasource != prometheus {
			t.Errorf("panel %s: data source %v", p.Title, p.Datasource)
		}
		if a := p.GridPos; a.X < 0 || a.Y < 0 || a.W <= 0 || a.H <= 0 || a.X+a.W > 24 {
			t.Errorf("panel %s is outside of the grid: %+v", p.Title, a)
		}
		for j := range d.Panels[:i] {
			if p.GridPos.overlaps(d.Panels[j].GridPos) {
				t.Errorf("panels %s and %s overlap", p.Title, d.Panels[j].Title)
			}
		}
		if len(p.Targets) == 0 {
			t.Errorf("panel %s has no query", p.Title)
		}
	}
	for _, want := range []string{
		"Publish rate", "Publish latency", "Failures by error type", "Consumption rate", "Processing latency", "Consumer lag",
		"Round-trip time per broker", "Queue depth",
	} {
		if !slices.Contains(titles, want) {
			t.Errorf("no panel %s", want)
		}
	}
}

func TestDashboardQueries(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	d := shippedDashboard(t)
	for i := range d.Panels {
		refs := map[string]bool{}
		for _, q := range d.Panels[i].Targets {
			if refs[q.RefID] || q.RefID == "" || q.LegendFormat == "" {
				t.Errorf("panel %s, query %q: no id of its own, or no legend", d.Panels[i].Title, q.RefID)
			}
			refs[q.RefID] = true
			query := q.query("1m")
			if strings.Contains(query, "$") {
				t.Errorf("unknown variable in %s", query)
			}
			expr, err := promql.ParseExpr(query)
			if err != nil {
				t.Errorf("%s: %v", query, err)
				continue
			}
			// The legend names labels that the answer has: those of the outermost aggregation.
			var kept []string
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				if by, ok := node.(*parser.AggregateExpr); ok && kept == nil {
					kept = by.Grouping
				}
				return nil
			})
			for _, label := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				if !slices.Contains(kept, label[1]) {
					t.Errorf("the legend %q has a label that %s does not answer", q.LegendFormat, query)
				}
			}
		}
	}
}

func TestDashboardVariables(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	var names []string
	for _, v := range shippedDashboard(t).Templating.List {
		names = append(names, v.Name)
		selector, label, ok := v.labelValues()
		if !ok || label == "" || v.Type != "query" || v.AllValue != ".*" || v.Datasource.UID != "prometheus" {
			t.Errorf("variable %s: %+v", v.Name, v)
			continue
		}
		if _, err := promql.ParseExpr(selector); err != nil {
			t.Errorf("variable %s: %v", v.Name, err)
		}
	}
	if want := []string{"service", "topic", "group"}; !slices.Equal(names, want) {
		t.Errorf("variables %v, want %v", names, want)
	}
}

// Prometheus scrapes the port on which the collector listens.
func TestPrometheusScrapesTheCollector(t *testing.T) {
	t.Parallel()
	const target = "otel-collector:8889"
	if !strings.Contains(string(shipped(t, "deploy/prometheus/prometheus.yml")), "- targets: ["+target+"]") {
		t.Errorf("no target %s", target)
	}
	_, port, _ := net.SplitHostPort(target)
	if !strings.Contains(string(shipped(t, "otel-collector-config.yaml")), "${env:PROMETHEUS_LISTEN:-0.0.0.0:"+port+"}") {
		t.Errorf("the collector has no Prometheus exporter on port %s", port)
	}
	if command := composed(t).Services["prometheus"].Command; !slices.Contains(command, "--enable-feature=exemplar-storage") {
		t.Errorf("prometheus drops exemplars: %v", command)
	}
}
