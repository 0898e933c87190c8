package lint

// imports is who may import whom of ours, by package, with the module's name
// left out. A package that is not here is a mistake; one that does not exist
// yet is not.
var imports = map[string]string{
	"pbx":              "",
	"config":           "internal/strict media/amd internal/visitor",
	"web":              "",
	"media/audio":      "",
	"media/amd":        "",
	"media/sdp":        "",
	"media/webrtc":     "",
	"media":            "media/amd media/audio media/sdp media/webrtc",
	"sip":              "pbx",
	"sip/hep":          "pbx",
	"internal/pcap":    "pbx",
	"routing":          "pbx",
	"events":           "pbx",
	"events/nats":      "pbx events",
	"autodialer":       "pbx autodialer/law autodialer/pace speech/words",
	"autodialer/law":   "pbx internal/strict",
	"autodialer/pace":  "",
	"tenants":          "pbx internal/strict speech/words",
	"crm":              "pbx",
	"crm/amocrm":       "pbx crm",
	"crm/rtk":          "pbx crm internal/durable internal/visitor",
	"crm/webhook":      "pbx crm",
	"recordings":       "pbx media/audio internal/durable",
	"mail":             "pbx",
	"speech/words":     "",
	"speech":           "media/audio",
	"sounds":           "pbx media media/audio speech speech/words internal/durable",
	"call":             "pbx sip media media/amd media/audio routing recordings sounds",
	"store":            "pbx internal/durable",
	"store/storetest":  "pbx store",
	"api":              "pbx tenants events web sounds internal/pcap autodialer/sheet internal/visitor",
	"internal/strict":  "",
	"internal/durable": "",
	"internal/simnet":  "",
	"internal/lint":    "",
	"internal/phone":   "internal/simnet media/audio",
	"internal/app":     product,
	"internal/demo":    "config internal/app internal/phone media/audio",
	"internal/flow":    "internal/app internal/phone internal/simnet",
	"internal/e2e":     "internal/app internal/phone",
	"internal/bench":   "internal/app internal/phone internal/simnet",
	"cmd/vpbx":         "config pbx internal/app internal/demo",

	// The simulated contact centre is no part of the program.
	"autodialer/pace/sim": "autodialer/pace",

	// The stand-in for amoCRM shares nothing with the client.
	"crm/amocrm/amosim":   "internal/strict",
	"cmd/vpbx-amocrm-sim": "crm/amocrm/amosim",

	// Who has sent a request is the same for all who are asked over HTTP.
	"internal/visitor": "",

	// Tables, in and out, know no campaign.
	"autodialer/sheet": "pbx",
}

// product is everything that internal/app wires together.
const product = "pbx config web media/amd media/audio media/sdp media/webrtc media sip sip/hep routing events events/nats autodialer autodialer/law autodialer/pace autodialer/sheet " +
	"tenants crm crm/amocrm crm/rtk crm/webhook recordings mail speech speech/words sounds call store api internal/strict internal/pcap internal/visitor"

// testImports is what _test.go files may import beyond the line above; kit is
// for the tests of every package.
var testImports = map[string]string{
	"store":          "store/storetest",
	"autodialer":     "store",
	"media/amd":      "media/audio",
	"media/webrtc":   "media/sdp",
	"api":            "recordings routing store media/audio speech",
	"crm":            "store",
	"crm/amocrm":     "crm/amocrm/amosim store tenants recordings",
	"crm/webhook":    "store",
	"crm/rtk":        "store recordings",
	"recordings":     "store",
	"internal/app":   "internal/demo",
	"internal/flow":  product + " crm/amocrm/amosim",
	"internal/e2e":   product + " internal/simnet crm/amocrm/amosim",
	"internal/bench": product,

	"autodialer/sheet": "speech/words",
}

const kit = "internal/simnet internal/phone"

// fence keeps a foreign module to a few packages, so that it can be replaced
// there.
type fence struct {
	module   string   // and everything below it
	packages []string // "media/..." is media and everything below it
	files    []string // names that may import it in any package
}

var fences = []fence{
	{module: "github.com/emiago/sipgo", packages: []string{"sip", "internal/phone"}},
	{module: "github.com/gobwas/ws", packages: []string{"internal/phone"}},
	{module: "github.com/icholy/digest", packages: []string{"sip", "internal/phone"}},
	{module: "github.com/pion", packages: []string{"media/...", "internal/phone"}},
	{module: "database/sql", packages: []string{"store/..."}},
	{module: "modernc.org/sqlite", packages: []string{"store/..."}},
	{module: "modernc.org/libc", packages: []string{"store"}},
	{module: "github.com/jackc/pgx", packages: []string{"store/..."}},
	{module: "github.com/pressly/goose", packages: []string{"store/..."}},
	{module: "github.com/nats-io", packages: []string{"events/nats"}},
	{module: "github.com/danielgtaylor/huma", packages: []string{"api"}},
	{module: "github.com/minio/minio-go", packages: []string{"recordings"}},
	{module: "github.com/johannesboyne/gofakes3", files: []string{"_test.go"}},
	{module: "github.com/goccy/go-yaml", packages: []string{"internal/strict", "config", "tenants"}},
	{module: "github.com/wneessen/go-mail", packages: []string{"mail"}},
	{module: "github.com/emersion/go-smtp", files: []string{"_test.go"}},
	{module: "github.com/alecthomas/kong", packages: []string{"cmd/..."}},
	{module: "github.com/nyaruka/phonenumbers", packages: []string{"pbx"}},
	{module: "github.com/prometheus", packages: []string{"api", "internal/app"}, files: []string{"metrics.go", "_test.go"}},
	{module: "github.com/xuri/excelize", packages: []string{"autodialer/sheet"}},
	{module: "golang.org/x/text", packages: []string{"autodialer/sheet"}, files: []string{"_test.go"}},
	{module: "github.com/google/go-cmp", files: []string{"_test.go"}},
	{module: "go.uber.org/goleak", files: []string{"_test.go"}},
	{module: "pgregory.net/rapid", files: []string{"_test.go"}},
}

// tenantless are the methods of store that take a context, and so may touch
// the database, but no pbx.TenantID: what they read and write belongs to no
// tenant or to all of them.
var tenantless = map[string]string{
	"Store.AddToken":           "the token names its tenant, or none: an administrator's",
	"Store.Bindings":           "read once at start, for all tenants",
	"Store.Debugging":          "read once at start, for all tenants",
	"Store.DropToken":          "the hash is the key",
	"Store.DueMails":           "each e-mail names its tenant",
	"Store.MailsPending":       "a metric of the whole node",
	"Store.NextMail":           "when DueMails will have something",
	"Store.SweepMails":         "forgets what is too old, of all tenants",
	"Store.ForgetHistories":    "forgets what is too old, of all tenants",
	"Store.Interrupted":        "read once at start, for all tenants",
	"Store.NextHistory":        "each order names its tenant",
	"Store.OutboxOldest":       "a metric of the whole node",
	"Store.OutboxPending":      "a metric of the whole node",
	"Store.OutboxTenants":      "finds out whose events wait",
	"Store.Ping":               "reads no rows",
	"Store.RecordingLink":      "finds out whose link it is",
	"Store.SaveBindings":       "each binding names its tenant",
	"Store.Spending":           "read once at start, for all tenants",
	"Store.Agents":             "read once at start, for all tenants",
	"Store.OpenCallbacks":      "read once at start, for all tenants",
	"Store.OpenCampaigns":      "read once at start, for all tenants",
	"Store.LeftAttempts":       "read once at start, for all tenants",
	"Store.SweepAmo":           "forgets what is too old, of all tenants",
	"Store.SweepExchanges":     "forgets what is too old, of all tenants",
	"Store.SweepNotifications": "forgets what is too old, of all tenants",
	"Store.TakeAmoState":       "finds out who asked for the link",
	"Store.Token":              "finds out whose token it is",
	"Spool.Replay":             "each spooled call names its tenant",
}

// mayPanic are the packages whose panics tell a test that it is wrong.
var mayPanic = map[string]string{"internal/simnet": "an address that a test gives twice; there is nobody to return an error to"}

// inBubbles are the packages whose tests all run inside a synctest bubble, where
// sleeping is free.
var inBubbles = map[string]string{
	"internal/flow": "the runner puts every flow and storm into one",
	"autodialer":    "every campaign of a test runs in one",
}
