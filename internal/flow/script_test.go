package flow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rule stands between a script and its transcript.
const rule = "----"

// script is a flow as its file says it.
type script struct {
	head    string // everything above the rule, as it is written
	want    string // the transcript below it
	setup   []command
	actions []command // in the order of their times, then of the file
}

// command is one line of a script with the indented block below it.
type command struct {
	line  int
	at    time.Duration // of an action, from the start of the flow
	verb  string        // first word, or "agent" when that names somebody
	who   string        // of an agent's action
	args  []string
	opts  map[string]string // name=value, and flags with an empty value
	block string            // without the common indentation
	which string            // first, second or third: the call that an agent's action is about
}

// form says what may stand behind a verb.
type form struct {
	args    string // how they are written; their number is checked
	options string
	timed   bool // an action, not a setting
}

// forms are the verbs of the language, besides those of agents.
var forms = map[string]form{
	"acme":    {"", "", false},
	"config":  {"", "ports timeout external wildcard relay transcode mix record s3", false},
	"phone":   {"NAME", "answers busy declines never dead rejects reason says redirects early talk codecs transport nat symmetric expires refresh keepalive unregistered password md5 name silent noack ignores-bye ignores-reinvite ignores-notify intercom no-timers no-update reliable at contact user echo reuse ring ipv6 origin outbound quirk rings-on grants srtp suite rekeys plain forged", false},
	"crm":     {"NUMBER", "owner name takes status html hangs drips notfound error resets", false},
	"told":    {"", "", false},
	"clock":   {"MOMENT", "", false},
	"mail":    {"", "refuses later hangs floods clear tls", false},
	"amocrm":  {"", "", false},
	"amo":     {"WHAT", "to as", true},
	"speech":  {"", "takes status timeout hangs html huge", false},
	"link":    {"NAME", "loss delay jitter reorder", false},
	"call":    {"FROM to NUMBER", "talk patience no-sdp noack hide session refresher via times every from codecs silent supported replaces mirrored early-only to-tag require", true},
	"attempt": {"NUMBER", "name label caller values operator cancelled tells", true},
	"stop":    {"", "", true},
	"start":   {"", "", true},
	"kill":    {"", "", true},
	"reload":  {"", "", true},
	"put":     {"", "as", true},
	"api":     {"METHOD PATH", "as show range body maybe file table list rows", true},
	"listen":  {"PREFIX", "show", true},
	"report":  {"CAMPAIGN", "", true},
	"rtk":     {"METHOD", "show body sign elsewhere secure proxied for proto forwarded", true},
	"fetch":   {"the recording", "range elsewhere proxied for proto", true},
	"metric":  {"NAME", "", true},
	"send":    {"TRANSPORT FROM", "times", true},
	"disk":    {"STATE", "", true},
	"s3":      {"STATE", "", true},
	"prompt":  {"STATE", "", true},
	"store":   {"STATE", "", true},
	"crm-is":  {"STATE", "", true},
	"mail-is": {"STATE", "", true},
	"end":     {"", "", true},
}

// deeds are what agents do, as it is written after their name; … is one word.
var deeds = map[string]string{
	"holds":                "",
	"resumes":              "offer",
	"hangs up":             "",
	"presses …":            "by",
	"refers to …":          "hangs raw",
	"refers … attended":    "hangs raw from to-tag",
	"goes silent":          "",
	"speaks again":         "",
	"is cut off":           "",
	"is back":              "",
	"drops its connection": "",
	"crashes":              "",
	"hears":                "",
	"registers":            "expires password contact",
	"unregisters":          "",
	"unregisters all":      "",
	"asks for bindings":    "",
	"injects into …":       "",
	"counts pings":         "",
	"options":              "",
	"replays":              "",
	"forgets its mappings": "",
	"re-offers":            "codecs",
	"restarts ICE":         "",
	"takes up the quirk …": "",
	"drops its quirk":      "",
	"reads the answer":     "",
	"stops answering":      "",
	"watches …":            "event expires",
	"stops watching …":     "event",
	"texts …":              "text type size",
}

// inCall are the deeds that may say which call they are about.
var inCall = []string{"holds", "resumes", "hangs up", "presses …", "goes silent", "speaks again", "hears", "re-offers", "restarts ICE", "stops answering", "refers to …", "reads the answer"}

// parse reads a script. Every error names its line.
func parse(text string) (*script, error) {
	head, want, _ := strings.Cut(text, "\n"+rule+"\n")
	s := &script{head: strings.TrimSuffix(head, "\n") + "\n", want: want}
	lines := strings.Split(head, "\n")
	var errs []error
	for i := 0; i < len(lines); {
		n := i
		block, next := blockOf(lines, i+1)
		i = next
		if line := strings.TrimSpace(lines[n]); line == "" || strings.HasPrefix(line, "#") {
			if strings.TrimSpace(block) != "" {
				errs = append(errs, fmt.Errorf("line %d: an indented line belongs to nothing", n+2))
			}
			continue
		}
		c, err := parseCommand(lines[n])
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", n+1, err))
			continue
		}
		c.line, c.block = n+1, block
		if c.verb == "agent" || forms[c.verb].timed {
			s.actions = append(s.actions, c)
		} else {
			s.setup = append(s.setup, c)
		}
	}
	slices.SortStableFunc(s.actions, func(a, b command) int { return int(a.at - b.at) })
	return s, errors.Join(errs...)
}

// blockOf gives the indented lines that begin at i, less the indentation of the
// first, and the index of the line after them.
func blockOf(lines []string, i int) (string, int) {
	var b strings.Builder
	indent := ""
	for ; i < len(lines); i++ {
		l := lines[i]
		if len(l) > 0 && l[0] != ' ' && l[0] != '\t' {
			break
		}
		if indent == "" {
			indent = l[:len(l)-len(strings.TrimLeft(l, " \t"))]
		}
		b.WriteString(strings.TrimPrefix(l, indent) + "\n")
	}
	return strings.TrimRight(b.String(), "\n"), i
}

// parseCommand reads one line.
func parseCommand(line string) (command, error) {
	words, err := split(line)
	if err != nil {
		return command{}, err
	}
	var c command
	timed := false
	if words[0] == "at" {
		if len(words) < 3 {
			return c, errors.New("at wants a time and an action")
		}
		if c.at, err = time.ParseDuration(words[1]); err != nil || c.at < 0 {
			return c, fmt.Errorf("%q is not a time", words[1])
		}
		words, timed = words[2:], true
	}
	c.opts = map[string]string{}
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		if !ok || strings.ContainsAny(name, " {/?") {
			c.args = append(c.args, w)
			continue
		}
		if _, twice := c.opts[name]; twice {
			return c, fmt.Errorf("%s is given twice", name)
		}
		c.opts[name] = value
	}
	f, known := forms[words[0]]
	if !known {
		c.verb, c.who = "agent", words[0]
		return c, c.checkDeed()
	}
	c.verb = words[0]
	if timed && !f.timed {
		return c, fmt.Errorf("%s is a setting and has no time", c.verb)
	}
	return c, c.check(f)
}

// check compares the arguments and options with what the verb takes. An argument
// that is the name of an option is a flag.
func (c *command) check(f form) error {
	allowed := strings.Fields(f.options)
	args := strings.Fields(f.args)
	if len(c.args) < len(args) {
		return fmt.Errorf("it is written %s %s", c.verb, f.args)
	}
	for _, flag := range c.args[len(args):] {
		c.opts[flag] = ""
	}
	c.args = c.args[:len(args)]
	for i, a := range args {
		if strings.ToLower(a) == a && c.args[i] != a {
			return fmt.Errorf("it is written %s %s", c.verb, f.args)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.opts)) {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("%s does not know %s", c.verb, name)
		}
	}
	return nil
}

// checkDeed finds what an agent does.
func (c *command) checkDeed() error {
	if len(c.args) > 0 && slices.Contains(ordinals, c.args[0]) {
		c.which, c.args = c.args[0], c.args[1:]
	}
	said := strings.Join(c.args, " ")
	for deed, options := range deeds {
		words := strings.Fields(deed)
		if !slices.EqualFunc(words, c.args, func(word, arg string) bool { return word == arg || word == "…" }) {
			continue
		}
		if c.which != "" && !slices.Contains(inCall, deed) {
			return fmt.Errorf("%q is not done in a %s call", deed, c.which)
		}
		for name := range c.opts {
			if !slices.Contains(strings.Fields(options), name) {
				return fmt.Errorf("%q does not know %s", deed, name)
			}
		}
		return nil
	}
	return fmt.Errorf("%q is neither a verb nor something that %s can do", said, c.who)
}

// split cuts a line into words; a part in double quotes or braces may hold spaces.
func split(line string) ([]string, error) {
	var words []string
	var w strings.Builder
	quoted, any, braces := false, false, 0
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case !quoted && braces <= 0 && (r == ' ' || r == '\t'):
			if any {
				words = append(words, w.String())
			}
			w.Reset()
			any = false
		default:
			switch {
			case quoted:
			case r == '{':
				braces++
			case r == '}':
				braces--
			}
			w.WriteRune(r)
			any = true
		}
	}
	if braces > 0 {
		return nil, errors.New("a brace is not closed")
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if any {
		words = append(words, w.String())
	}
	if len(words) == 0 {
		return nil, errors.New("nothing is written there")
	}
	return words, nil
}

// has tells whether an option or flag is given.
func (c *command) has(name string) bool { _, ok := c.opts[name]; return ok }

// duration reads an option that is a time.
func (c *command) duration(name string, otherwise time.Duration) (time.Duration, error) {
	v, ok := c.opts[name]
	if !ok {
		return otherwise, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0, fmt.Errorf("line %d: %s=%q is not a time", c.line, name, v)
	}
	return d, nil
}

// number reads an option that is a whole number.
func (c *command) number(name string, otherwise int) (int, error) {
	v, ok := c.opts[name]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("line %d: %s=%q is not a number", c.line, name, v)
	}
	return n, nil
}

// share reads an option that is a percentage, as a share.
func (c *command) share(name string) (float64, error) {
	v, ok := c.opts[name]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSuffix(v, "%"), 64)
	if err != nil || n < 0 || n > 100 {
		return 0, fmt.Errorf("line %d: %s=%q is not a percentage", c.line, name, v)
	}
	return n / 100, nil
}

// replace puts sections (top-level keys with all that belongs to them) of a YAML
// text in the place of those with the same name, or at its end.
func replace(text, sections string) string {
	order, have := sectionsOf(text)
	_, with := sectionsOf(sections)
	var b strings.Builder
	for _, name := range order {
		if s, ok := with[name]; ok {
			b.WriteString(s)
			delete(with, name)
			continue
		}
		b.WriteString(have[name])
	}
	for _, name := range slices.Sorted(maps.Keys(with)) {
		b.WriteString(with[name])
	}
	return b.String()
}

func sectionsOf(text string) (order []string, sections map[string]string) {
	sections = map[string]string{}
	name := ""
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if key, _, ok := strings.Cut(line, ":"); ok && line[0] != ' ' && line[0] != '#' {
			name = key
			order = append(order, name)
		}
		if name != "" {
			sections[name] += line + "\n"
		}
	}
	return order, sections
}
