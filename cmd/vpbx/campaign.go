package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"vpbx/pbx"
)

// campaignCmd are the commands that call many people, by the API of a running engine.
type campaignCmd struct {
	List   campaignListCmd   `cmd:"" help:"List the campaigns of a company."`
	Create campaignCreateCmd `cmd:"" help:"Make a campaign of a file with its settings, YAML or JSON."`
	Show   campaignShowCmd   `cmd:"" help:"Show how a campaign goes."`
	Start  campaignStartCmd  `cmd:"" help:"Start a campaign now."`
	Pause  campaignPauseCmd  `cmd:"" help:"Dial nobody any more until it is resumed."`
	Resume campaignResumeCmd `cmd:"" help:"Let a paused campaign go on."`
	Cancel campaignCancelCmd `cmd:"" help:"End a campaign for ever."`

	Targets  targetsCmd        `cmd:"" help:"The people of a campaign."`
	Report   campaignReportCmd `cmd:"" help:"What has become of a campaign: counted, or as a table."`
	StopList stopListCmd       `cmd:"" name:"stop-list" help:"Numbers that must not be called."`
	Consents consentsCmd       `cmd:"" help:"Who has agreed to be called."`
}

// oneCampaign is the argument of commands that are about one.
type oneCampaign struct {
	remote
	Campaign string `arg:"" help:"Name of the campaign."`
}

func (c *oneCampaign) path(rest string) string {
	return "/campaigns/" + url.PathEscape(c.Campaign) + rest
}

// campaignLine is what the API says of a campaign, as far as it is shown.
type campaignLine struct {
	Name, Title, Kind, Mode, Status, Alert, Why string
	Started, Ended, Next                        *time.Time
	Targets                                     map[string]int
	Dialling, Talking                           int
	Rate                                        float64
}

// table prints rows in columns.
func table(out io.Writer, rows ...[]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// counted writes counts in the order of their names: 5 done, 1 waiting.
func counted(m map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%d %s", m[name], name))
	}
	return strings.Join(all, ", ")
}

type campaignListCmd struct{ remote }

// Run lists campaigns, all pages of them.
func (c *campaignListCmd) Run(ctx context.Context, out io.Writer) error {
	rows := [][]string{{"NAME", "KIND", "MODE", "STATUS", "TARGETS", "TITLE"}}
	for cursor, more := "", true; more; more = cursor != "" {
		var list struct {
			Items []campaignLine
			Next  string
		}
		if _, err := c.ask(ctx, out, "GET", "/campaigns", url.Values{"limit": {"100"}, "cursor": {cursor}}, nil, &list); err != nil {
			return err
		}
		for _, l := range list.Items {
			rows = append(rows, []string{l.Name, l.Kind, l.Mode, l.Status, counted(l.Targets), l.Title})
		}
		cursor = list.Next
	}
	if c.JSON {
		return nil // each page was printed
	}
	return table(out, rows...)
}

type campaignCreateCmd struct {
	remote
	File string `arg:"" type:"existingfile" help:"The settings, as an item of campaigns in a company file."`
}

// Run makes a campaign.
func (c *campaignCreateCmd) Run(ctx context.Context, out io.Writer) error {
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	answer, err := c.send(ctx, "POST", "/campaigns", nil, "application/yaml", file)
	if err != nil {
		return err
	}
	defer answer.Close()
	var done struct {
		Changes []struct{ Action, Noun, Key string }
	}
	shown, err := c.read(out, answer, &done)
	if shown || err != nil {
		return err
	}
	for _, x := range done.Changes {
		if _, err := fmt.Fprintf(out, "%s %s: %s\n", x.Noun, x.Key, x.Action); err != nil {
			return err
		}
	}
	return nil
}

type campaignShowCmd struct{ oneCampaign }

// Run shows a campaign.
func (c *campaignShowCmd) Run(ctx context.Context, out io.Writer) error {
	var l campaignLine
	shown, err := c.ask(ctx, out, "GET", c.path("/progress"), nil, nil, &l)
	if shown || err != nil {
		return err
	}
	rows := [][]string{{"name", l.Name}, {"title", l.Title}, {"kind", l.Kind}, {"mode", l.Mode}, {"status", l.Status}, {"alert", l.Alert},
		{"started", shortTime(l.Started)}, {"ended", shortTime(l.Ended)}, {"targets", counted(l.Targets)},
		{"dialling", strconv.Itoa(l.Dialling)}, {"talking", strconv.Itoa(l.Talking)}, {"dials a second", fmt.Sprintf("%.2f", l.Rate)},
		{"next dial", shortTime(l.Next)}, {"waits for", l.Why}}
	return table(out, slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })...)
}

type (
	campaignStartCmd  struct{ oneCampaign }
	campaignPauseCmd  struct{ oneCampaign }
	campaignResumeCmd struct{ oneCampaign }
	campaignCancelCmd struct{ oneCampaign }
)

// Run starts it.
func (c *campaignStartCmd) Run(ctx context.Context, out io.Writer) error {
	return c.order(ctx, out, "start")
}

// Run pauses it.
func (c *campaignPauseCmd) Run(ctx context.Context, out io.Writer) error {
	return c.order(ctx, out, "pause")
}

// Run resumes it.
func (c *campaignResumeCmd) Run(ctx context.Context, out io.Writer) error {
	return c.order(ctx, out, "resume")
}

// Run cancels it.
func (c *campaignCancelCmd) Run(ctx context.Context, out io.Writer) error {
	return c.order(ctx, out, "cancel")
}

func (c *oneCampaign) order(ctx context.Context, out io.Writer, verb string) error {
	var l campaignLine
	shown, err := c.ask(ctx, out, "POST", c.path("/"+verb), nil, nil, &l)
	if shown || err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", l.Name, l.Status)
	return err
}

type targetsCmd struct {
	Add  targetsAddCmd  `cmd:"" help:"Add people from a file, CSV or XLSX."`
	List targetsListCmd `cmd:"" help:"List people and what has become of them."`

	Remove targetsRemoveCmd `cmd:"" help:"Call somebody no more."`
	Retry  targetsRetryCmd  `cmd:"" help:"Call people again who are over, within the same bounds."`
}

// fileFlags say how a file is read.
type fileFlags struct {
	File      string   `arg:"" type:"existingfile" help:"CSV or XLSX."`
	Map       []string `help:"Which column is which: phone:Телефон,name:ФИО,key:3,var.sum:Сумма. Without it they are found." placeholder:"USE:COLUMN"`
	Sheet     string   `help:"Sheet of a workbook." placeholder:"NAME"`
	Encoding  string   `help:"Of CSV: utf-8, windows-1251." placeholder:"NAME"`
	Delimiter string   `help:"Of CSV: a character, or tab." placeholder:"CHAR"`
	Header    string   `help:"Whether the first row is a header: yes or no." placeholder:"YES"`
}

// upload sends the file and prints what came of it.
func (f *fileFlags) upload(ctx context.Context, r *remote, out io.Writer, path string) error {
	file, err := os.Open(f.File)
	if err != nil {
		return err
	}
	defer file.Close()
	query := url.Values{}
	for name, value := range map[string]string{"map": strings.Join(f.Map, ","), "sheet": f.Sheet, "encoding": f.Encoding, "delimiter": f.Delimiter, "header": f.Header} {
		if value != "" {
			query.Set(name, value)
		}
	}
	media := "application/octet-stream"
	if strings.EqualFold(filepath.Ext(f.File), ".csv") {
		media = "text/csv"
	}
	answer, err := r.send(ctx, "POST", path, query, media, file)
	if err != nil {
		return err
	}
	defer answer.Close()
	var done struct {
		Added, Duplicates, Stopped, Numbers, Skipped, Left *int
		List                                               struct {
			Read, Accepted, Duplicates, Invalid, Empty int
			Columns                                    []readColumn
			Problems, Repeated, Notes                  []rowProblem
		}
	}
	shown, err := r.read(out, answer, &done)
	if shown || err != nil {
		return err
	}
	rows := [][]string{{"rows read", strconv.Itoa(done.List.Read)}, {"accepted", strconv.Itoa(done.List.Accepted)}, {"twice in the file", strconv.Itoa(done.List.Duplicates)},
		{"invalid", strconv.Itoa(done.List.Invalid)}, {"empty", strconv.Itoa(done.List.Empty)}}
	for _, c := range []struct {
		name  string
		count *int
	}{{"added", done.Added}, {"in the campaign already", done.Duplicates}, {"of them on a stop list", done.Stopped}, {"numbers on the list", done.Numbers},
		{"targets skipped by that", done.Skipped}, {"without a source", done.Left}} {
		if c.count != nil {
			rows = append(rows, []string{c.name, strconv.Itoa(*c.count)})
		}
	}
	for _, c := range done.List.Columns {
		rows = append(rows, c.row()...)
	}
	for _, p := range slices.Concat(done.List.Problems, done.List.Repeated, done.List.Notes) {
		rows = append(rows, []string{fmt.Sprintf("line %d", p.Line), strings.TrimSpace(p.Column + " " + strconv.Quote(p.Value)), p.Reason})
	}
	return table(out, rows...)
}

// readColumn is what the API says of a column.
type readColumn struct {
	Number                int
	Header, Use, Variable string
}

// row tells what the column was read as; nothing for one without a header that was not.
func (c readColumn) row() [][]string {
	header := c.Header
	if header == "" {
		header = strconv.Itoa(c.Number)
	}
	switch {
	case c.Use == "nothing" && c.Header == "":
		return nil
	case c.Use == "nothing":
		return [][]string{{"column not used", header, "--map names other columns only"}}
	case c.Use == "variable":
		return [][]string{{"column", header, "{" + c.Variable + "}"}}
	case c.Variable != "":
		return [][]string{{"column", header, c.Use + ", {" + c.Variable + "}"}}
	}
	return [][]string{{"column", header, c.Use}}
}

// rowProblem is what the API says of a row.
type rowProblem struct {
	Line                  int
	Column, Value, Reason string
}

type targetsAddCmd struct {
	oneCampaign
	fileFlags
}

// Run adds the people of a file.
func (c *targetsAddCmd) Run(ctx context.Context, out io.Writer) error {
	return c.upload(ctx, &c.remote, out, c.path("/targets"))
}

type targetsListCmd struct {
	oneCampaign
	State  string `help:"Only those: waiting, dialling, done, exhausted, skipped, removed, expired or interrupted." placeholder:"STATE"`
	Number string `help:"Only the one with that number." placeholder:"NUMBER"`
	Limit  int    `help:"So many at most." default:"50"`
}

// Run lists people.
func (c *targetsListCmd) Run(ctx context.Context, out io.Writer) error {
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, value := range map[string]string{"state": c.State, "number": c.Number} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var list struct {
		Items []pbx.Target
		Next  string
	}
	shown, err := c.ask(ctx, out, "GET", c.path("/targets"), query, nil, &list)
	if shown || err != nil {
		return err
	}
	rows := [][]string{{"ID", "KEY", "NAME", "NUMBERS", "STATE", "REASON", "OUTCOME", "ATTEMPTS", "NEXT"}}
	for _, t := range list.Items {
		rows = append(rows, []string{strconv.FormatInt(t.ID, 10), t.Key, t.Name, strings.Join(t.Numbers, " "), string(t.State), string(t.Reason), string(t.Outcome),
			strconv.Itoa(t.Attempts), shortTime(&t.Next)})
	}
	if err := table(out, rows...); err != nil || list.Next == "" {
		return err
	}
	_, err = fmt.Fprintln(out, "there are more: raise --limit, or use report --format csv")
	return err
}

type targetsRemoveCmd struct {
	oneCampaign
	Number string `help:"Whoever has that number." placeholder:"NUMBER"`
	Key    string `help:"The one with that key." placeholder:"KEY"`
}

// Run removes people from a campaign.
func (c *targetsRemoveCmd) Run(ctx context.Context, out io.Writer) error {
	query := url.Values{}
	for name, value := range map[string]string{"number": c.Number, "key": c.Key} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) != 1 {
		return errors.New("give either --number or --key")
	}
	var done struct{ Changed int }
	shown, err := c.ask(ctx, out, "DELETE", c.path("/targets"), query, nil, &done)
	if shown || err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d are not called any more\n", done.Changed)
	return err
}

type targetsRetryCmd struct {
	oneCampaign
	State  string `help:"All of that state: interrupted, exhausted or skipped." placeholder:"STATE"`
	Number string `help:"Whoever has that number." placeholder:"NUMBER"`
	Key    string `help:"The one with that key." placeholder:"KEY"`
}

// Run has people called again.
func (c *targetsRetryCmd) Run(ctx context.Context, out io.Writer) error {
	whom := map[string]string{}
	for name, value := range map[string]string{"state": c.State, "number": c.Number, "key": c.Key} {
		if value != "" {
			whom[name] = value
		}
	}
	if len(whom) != 1 {
		return errors.New("give one of --state, --number and --key")
	}
	var done struct{ Changed int }
	shown, err := c.ask(ctx, out, "POST", c.path("/targets/retry"), nil, whom, &done)
	if shown || err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d are called again\n", done.Changed)
	return err
}

type campaignReportCmd struct {
	oneCampaign
	Format string `help:"text, json, csv or xlsx." enum:"text,json,csv,xlsx" default:"text"`
	What   string `help:"Of csv and xlsx: targets, attempts, answers or hours." enum:"targets,attempts,answers,hours" default:"targets"`
	Since  string `help:"Only attempts that began then or later: a date or a time." placeholder:"TIME"`
	Until  string `help:"Only attempts that began before." placeholder:"TIME"`
	Output string `short:"o" help:"File to write; without it standard output." type:"path" placeholder:"FILE"`
}

// Run prints a report, or writes it into a file.
func (c *campaignReportCmd) Run(ctx context.Context, out io.Writer) error {
	query := url.Values{}
	if c.Format == "csv" || c.Format == "xlsx" {
		query.Set("format", c.Format)
		query.Set("what", c.What)
	}
	for name, value := range map[string]string{"since": c.Since, "until": c.Until} {
		if value != "" {
			query.Set(name, value)
		}
	}
	answer, err := c.send(ctx, "GET", c.path("/report"), query, "", nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	if c.Output != "" {
		return writeFile(c.Output, func(w io.Writer) error { return c.print(w, answer) })
	}
	return c.print(out, answer)
}

func (c *campaignReportCmd) print(out io.Writer, answer io.Reader) error {
	if c.Format != "text" || c.JSON {
		_, err := io.Copy(out, answer)
		return err
	}
	var r pbx.CampaignReport
	if _, err := c.read(out, answer, &r); err != nil {
		return err
	}
	rows := [][]string{{"targets", counted(plain(r.Targets))}, {"last outcomes", counted(plain(r.Final))}, {"attempts", strconv.Itoa(r.Attempts)}, {"outcomes", counted(plain(r.Outcomes))},
		{"answered by people", strconv.Itoa(r.Live)}, {"abandoned", fmt.Sprintf("%.2f %%", 100*r.Share)}, {"talk", (time.Duration(r.Talk) * time.Second).String()}, {"opted out", strconv.Itoa(r.OptedOut)}}
	for _, a := range r.Answers {
		rows = append(rows, []string{"key " + a.Block + " " + a.Key, fmt.Sprintf("%d %s", a.Count, a.Answer.Answer)})
	}
	return table(out, rows...)
}

// plain gives counts with names that are texts.
func plain[K ~string](m map[K]int) map[string]int {
	all := make(map[string]int, len(m))
	for k, n := range m {
		all[string(k)] = n
	}
	return all
}

// writeFile writes a file as a whole: nothing is left of one that was not finished.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".vpbx-*")
	if err != nil {
		return err
	}
	err = write(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the first error is told
	}
	return err
}

type stopListCmd struct {
	Add    stopAddCmd    `cmd:"" help:"Put numbers on it: given, or of a file."`
	Remove stopRemoveCmd `cmd:"" help:"Take a number off it."`
	List   stopShowCmd   `cmd:"" help:"List it."`
}

// ofCampaign is the flag of commands that are about all campaigns or one.
type ofCampaign struct {
	remote
	Campaign string `help:"Of this campaign only; without it of the company." placeholder:"NAME"`
}

func (c *ofCampaign) path(rest string) string {
	if c.Campaign != "" {
		return "/campaigns/" + url.PathEscape(c.Campaign) + "/stop-list" + rest
	}
	return "/stop-list" + rest
}

type stopAddCmd struct {
	ofCampaign
	Numbers []string `arg:"" optional:"" help:"Numbers."`
	From    string   `help:"CSV or XLSX with a column of numbers." type:"existingfile" placeholder:"FILE"`
	Note    string   `help:"Kept with the numbers that are given." placeholder:"TEXT"`
}

// Run puts numbers on a stop list.
func (c *stopAddCmd) Run(ctx context.Context, out io.Writer) error {
	if (c.From == "") == (len(c.Numbers) == 0) {
		return fmt.Errorf("give numbers, or --from a file")
	}
	if c.From != "" {
		return (&fileFlags{File: c.From}).upload(ctx, &c.remote, out, c.path(""))
	}
	var in struct {
		Items []map[string]string `json:"items"`
	}
	for _, n := range c.Numbers {
		in.Items = append(in.Items, map[string]string{"number": n, "note": c.Note})
	}
	var done struct{ Numbers, Skipped int }
	shown, err := c.ask(ctx, out, "POST", c.path(""), nil, in, &done)
	if shown || err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d numbers are on the stop list, %d targets are not called by that\n", done.Numbers, done.Skipped)
	return err
}

type stopRemoveCmd struct {
	ofCampaign
	Number string `arg:"" help:"Number."`
}

// Run takes a number off a stop list.
func (c *stopRemoveCmd) Run(ctx context.Context, out io.Writer) error {
	_, err := c.ask(ctx, out, "DELETE", c.path("/"+url.PathEscape(c.Number)), nil, nil, nil)
	return err
}

type stopShowCmd struct{ ofCampaign }

// Run lists a stop list, all pages of it.
func (c *stopShowCmd) Run(ctx context.Context, out io.Writer) error {
	rows := [][]string{{"NUMBER", "SOURCE", "SINCE", "NOTE"}}
	for cursor, more := "", true; more; more = cursor != "" {
		var list struct {
			Items []pbx.Stop
			Next  string
		}
		if _, err := c.ask(ctx, out, "GET", c.path(""), url.Values{"limit": {"500"}, "cursor": {cursor}}, nil, &list); err != nil {
			return err
		}
		for _, s := range list.Items {
			rows = append(rows, []string{s.Number, s.Source, shortTime(&s.At), s.Note})
		}
		cursor = list.Next
	}
	if c.JSON {
		return nil // each page was printed
	}
	return table(out, rows...)
}

type consentsCmd struct {
	Add consentsAddCmd `cmd:"" help:"Keep the consents of a file, CSV or XLSX, with columns for the number and the source."`
}

type consentsAddCmd struct {
	remote
	fileFlags
}

// Run keeps consents.
func (c *consentsAddCmd) Run(ctx context.Context, out io.Writer) error {
	return c.upload(ctx, &c.remote, out, "/consents")
}
