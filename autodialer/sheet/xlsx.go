package sheet

import (
	"archive/zip"
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"vpbx/pbx"
)

// Bounds of a workbook beside those of [Limits], in bytes.
const (
	maxDirectory = 1 << 20 // of the list of its parts
	maxPart      = 8 << 20 // of a part that is read as a whole: styles, list of sheets
	maxToken     = 1 << 20 // of one piece of XML: a tag, a text
	maxShared    = 1 << 23 // number of shared strings
)

// workbook is an open XLSX file (ECMA-376 part 1 §12, 18).
type workbook struct {
	parts  map[string]*zip.File // by name in lower case
	limits Limits
	epoch  bool // days count from 1904
	styles []style
	shared *sharedStrings
}

// openXLSX opens a workbook and gives the rows of a sheet, and its name. The first sheet
// that is not hidden is taken when sheet is "".
func openXLSX(r io.ReaderAt, size int64, sheet string, l Limits) (*xlsxTable, string, error) {
	parts, err := unzip(r, size)
	if err != nil {
		return nil, "", err
	}
	w := &workbook{parts: parts, limits: l}
	main, err := w.main()
	if err != nil {
		return nil, "", err
	}
	var book bookXML
	if err := w.read(main, &book); err != nil {
		return nil, "", err
	}
	w.epoch = book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true"
	found, err := book.find(sheet)
	if err != nil {
		return nil, "", err
	}
	rels, err := w.relations(main)
	if err != nil {
		return nil, "", err
	}
	target := ""
	for _, rel := range rels {
		switch {
		case rel.ID == found.id():
			target = rel.Target
		case strings.HasSuffix(rel.Type, "/styles"):
			if err := w.readStyles(rel.Target); err != nil {
				return nil, "", err
			}
		case strings.HasSuffix(rel.Type, "/sharedStrings"):
			if err := w.readShared(rel.Target); err != nil {
				return nil, "", err
			}
		}
	}
	if target == "" {
		return nil, "", damaged("sheet %q has no part", short(found.Name))
	}
	x, err := w.part(target)
	if err != nil {
		return nil, "", err
	}
	return &xlsxTable{book: w, xml: x}, found.Name, nil
}

// damaged is the refusal of a workbook that breaks the rules of its format.
func damaged(format string, args ...any) error {
	return invalid("", "the workbook is damaged (%s): open it in a spreadsheet, save it as XLSX and try again", fmt.Sprintf(format, args...))
}

// frugal is a reader of which only so much may be read while the list of parts is:
// the list says itself how long it is, and may lie.
type frugal struct {
	r    io.ReaderAt
	left int64
	open bool
}

func (f *frugal) ReadAt(p []byte, at int64) (int, error) {
	if !f.open {
		if f.left -= int64(len(p)); f.left < 0 {
			return 0, limit("the workbook has too many parts: save the sheet alone as XLSX or CSV")
		}
	}
	return f.r.ReadAt(p, at)
}

// unzip lists the parts of a workbook.
func unzip(r io.ReaderAt, size int64) (map[string]*zip.File, error) {
	guard := &frugal{r: r, left: maxDirectory}
	z, err := zip.NewReader(guard, size)
	if e, ok := errors.AsType[*pbx.Error](err); ok {
		return nil, e
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, damaged("%v", err)
	}
	guard.open = true
	parts := make(map[string]*zip.File, len(z.File))
	for _, f := range z.File {
		parts[partName(f.Name)] = f
	}
	return parts, nil
}

// partName is a name of a part as they are compared: without regard to case
// (ECMA-376 part 2 §6.2.2.3).
func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "/"))
}

// relation leads from a part to another.
type relation struct {
	ID     string `xml:"Id,attr"`
	Type   string `xml:"Type,attr"`
	Target string `xml:"Target,attr"`
}

type relationsXML struct {
	Relations []relation `xml:"Relationship"`
}

// relations gives the relations of a part ("" is the whole), their targets from the root.
func (w *workbook) relations(of string) ([]relation, error) {
	folder, file := path.Split(of)
	var list relationsXML
	if err := w.read(path.Join(folder, "_rels", file+".rels"), &list); err != nil {
		return nil, err
	}
	for i, r := range list.Relations {
		if !strings.HasPrefix(r.Target, "/") {
			list.Relations[i].Target = path.Join(folder, r.Target)
		}
	}
	return list.Relations, nil
}

// main finds the part that lists the sheets.
func (w *workbook) main() (string, error) {
	switch {
	case w.parts["content.xml"] != nil && w.parts["mimetype"] != nil:
		return "", invalid("", "this is an OpenDocument table: save it as XLSX or CSV")
	case w.parts["_rels/.rels"] == nil:
		return "", invalid("", "this is a ZIP archive and not an Excel workbook: unpack it and give the table in it")
	}
	rels, err := w.relations("")
	if err != nil {
		return "", err
	}
	for _, r := range rels {
		if !strings.HasSuffix(r.Type, "/officeDocument") {
			continue
		}
		switch ext := strings.ToLower(path.Ext(r.Target)); {
		case ext == ".bin":
			return "", invalid("", "this is a binary Excel workbook (XLSB): save it as XLSX or CSV")
		case !strings.Contains(strings.ToLower(r.Target), "workbook"):
			return "", invalid("", "this is an Office document and not an Excel workbook: save the table as XLSX or CSV")
		}
		return r.Target, nil
	}
	return "", damaged("no part lists the sheets")
}

// sheetXML is an entry of the list of sheets.
type sheetXML struct {
	Name  string     `xml:"name,attr"`
	State string     `xml:"state,attr"`
	Attrs []xml.Attr `xml:",any,attr"`
}

// id is that of the relation to the sheet.
func (s sheetXML) id() string {
	for _, a := range s.Attrs {
		if a.Name.Local == "id" {
			return a.Value
		}
	}
	return ""
}

type bookXML struct {
	Properties struct {
		Date1904 string `xml:"date1904,attr"`
	} `xml:"workbookPr"`
	Sheets []sheetXML `xml:"sheets>sheet"`
}

// find gives the sheet of a name, or the first that is not hidden.
func (b bookXML) find(name string) (sheetXML, error) {
	var names []string
	for _, s := range b.Sheets {
		if name == "" && (s.State == "" || s.State == "visible") || name != "" && strings.EqualFold(s.Name, name) {
			return s, nil
		}
		names = append(names, fmt.Sprintf("%q", short(s.Name)))
	}
	switch {
	case len(b.Sheets) == 0:
		return sheetXML{}, damaged("it has no sheet")
	case name == "":
		return b.Sheets[0], nil
	}
	return sheetXML{}, invalid("sheet", "the workbook has no sheet %q: it has %s", short(name), strings.Join(names[:min(len(names), 20)], ", "))
}

// read decodes a small part as a whole.
func (w *workbook) read(name string, into any) error {
	p, err := w.part(name)
	if err != nil {
		return err
	}
	p.left = min(p.left, maxPart)
	if err := xml.NewDecoder(p).Decode(into); err != nil {
		return p.broken(err)
	}
	return nil
}

// part begins to read a part.
func (w *workbook) part(name string) (*partXML, error) {
	f := w.parts[partName(name)]
	if f == nil {
		return nil, damaged("part %s is missing", short(name))
	}
	r, err := f.Open()
	if err != nil {
		return nil, damaged("part %s: %v", short(name), err)
	}
	p := &partXML{part: name, r: r, left: w.limits.Unpacked}
	p.scanner.src = bufio.NewReaderSize(p, window)
	return p, nil
}

// partXML reads the XML of a part, bounded as a whole and piece by piece.
type partXML struct {
	scanner
	part string
	r    io.Reader
	left int64
}

// Read is for whoever reads the XML.
func (p *partXML) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, limit("the workbook is too large when it is unpacked (part %s): divide the list, or save it as CSV", short(p.part))
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	return n, err
}

// advance goes to the next tag or text. The end of the part is an error: it ends in the
// middle.
func (p *partXML) advance() error {
	if err := p.next(); err != nil {
		return p.broken(err)
	}
	return nil
}

// finish reads the rest of a part, since its sum stands behind it, and gives [io.EOF].
func (p *partXML) finish() error {
	if _, err := io.Copy(io.Discard, p); err != nil {
		return p.broken(err)
	}
	return io.EOF
}

// broken tells why a part cannot be read.
func (p *partXML) broken(err error) error {
	if e, ok := errors.AsType[*pbx.Error](err); ok {
		return e
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("part %s ends in the middle", short(p.part))
	}
	return damaged("part %s: %v", short(p.part), err)
}
