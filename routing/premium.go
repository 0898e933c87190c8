package routing

import (
	"slices"
	"strings"
)

// premium tells whether a number is charged at a premium rate: calls to such are
// how stolen passwords are turned into money. A number in a form that could not
// be read is looked for among those of the company's country, with its trunk
// prefix and without.
func premium(country, number string) bool {
	if strings.HasPrefix(number, "+") {
		return slices.ContainsFunc(premiums, func(p string) bool { return strings.HasPrefix(number[1:], p) })
	}
	code := callingCodes[country]
	national := strings.TrimPrefix(number, trunkPrefix(code))
	if code == "" || len(national) < 6 {
		return false
	}
	return slices.ContainsFunc(premiums, func(p string) bool {
		return strings.HasPrefix(code+national, p) || strings.HasPrefix(code+number, p)
	})
}

// trunkPrefix is what people of a country dial before a national number.
func trunkPrefix(code string) string {
	switch code {
	case "7":
		return "8"
	case "1":
		return "1"
	}
	return "0"
}

// premiums are the prefixes of premium-rate, televoting and satellite numbers in
// E.164 form without the plus, as the national numbering plans list them. It is
// not complete and cannot be: a company bars more by limits.barred.
var premiums = []string{
	"979",                      // international premium rate (ITU-T E.169.2)
	"870", "881", "882", "883", // satellites and international networks (ITU-T E.164.1)
	"7803", "7809", // Russia: televoting, paid services; Kazakhstan has 7809, too
	"1900",                                            // North America
	"449", "4470", "44871", "44872", "44873", "44118", // United Kingdom: premium, personal numbers, directory enquiries
	"49900", "49137", "49118", "49190", // Germany
	"3389", "33118", // France
	"39144", "39166", "39892", "39894", "39895", "39899", // Italy
	"34803", "34806", "34807", "34905", "34907", "34118", // Spain
	"31900", "31906", "31909", // Netherlands
	"3290",                    // Belgium
	"41900", "41901", "41906", // Switzerland
	"43900", "43901", "43930", "43931", "43939", // Austria
	"4870",                                 // Poland
	"380900",                               // Ukraine
	"375902",                               // Belarus
	"420900", "420906", "420909", "421900", // Czechia, Slovakia
	"46900", "46939", "46944", // Sweden
	"358600", "358700", // Finland
	"47820", "47829", // Norway
	"4590",           // Denmark
	"61190", "64900", // Australia, New Zealand
	"81990", "8260", // Japan, Korea
	"9721900", "90900", // Israel, Turkey
	"371900", "371905", "370900", "372900", // Latvia, Lithuania, Estonia
}
