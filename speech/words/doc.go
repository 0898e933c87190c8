// Package words turns the values in a text into words as they are spoken: numbers,
// money, dates, times and telephone numbers, in Russian and English.
//
// A text holds variables, {name} or {name:form} or {debt:money:RUB:gen}. What stands
// behind the first colon is the form in which the value is read. [Parse] finds the
// mistakes of a text without knowing any value, [Template.Say] puts the values in. A
// value that is not of its form is an error, never a guess: nobody is told a wrong
// amount.
//
// Only words of these two languages are made. In a text of another language values
// stand as they were given, and the speech engine reads them.
//
// What it is not: it speaks nothing and knows no call.
//
// Everything is pure: no goroutine, no clock, no file. Outputs are bounded by inputs,
// which are: [MaxText] of a text, [MaxValue] of a value.
//
// Tests are tables and a fuzz test beside the code.
package words
