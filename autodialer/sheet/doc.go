// Package sheet reads the lists that people upload and writes the tables that they
// download: CSV as it comes out of spreadsheets and customer databases, and XLSX.
//
// [Import] tells the kind of a file from its content, finds its encoding, delimiter and
// header, says which column is which, and gives row after row to a function: telephone
// numbers in E.164, name, zone, consent, and the variables of the texts that are spoken.
// What it cannot take it reports by line, column, value and reason; every row that was
// read is counted once: accepted, duplicate, invalid or empty. [NewWriter] writes a table
// whose cells are no formulas, whatever is in them, and which Import reads again.
//
// What it is not: it stores nothing, knows no campaign, and evaluates no formula: of a
// formula the value counts that the spreadsheet saved with it. What a telephone number is
// says the caller, by [Options].Normalise.
//
// What concerns a row is reported of the row and reading goes on; what concerns the file,
// a limit that is passed or a damaged workbook, ends it with an error. A mapping that does
// not fit is refused before the first row is given. Errors are [pbx.Error] of kind Invalid
// or Limit, in sentences for the person who uploads.
//
// Who owns which goroutine: there are none. Nothing is shared between two imports.
//
// Invariants: one row at a time is in memory, beside the numbers seen (for duplicates) and
// the shared strings of a workbook, both bounded by [Limits]; nothing is unpacked to the
// disk. Whatever the input is, counts add up. No cell that is written begins a formula, in
// whichever way the spreadsheet of the reader splits the line.
//
// Where the tests are: import_test.go has the lists (row A1 among them), csv_test.go and
// xlsx_test.go and scan_test.go broken files and limits, encoding_test.go the encodings, write_test.go
// injection and the way out and in again, fuzz_test.go the fuzzed readers and the property
// that counts add up, bench_test.go a million rows. Files are made by the tests, workbooks
// by another library than the one that reads them. Decision 28 says why.
package sheet
