import JSON
import Testing

@Suite("Reading numbers")
struct NumberReadingTests {
  @Test(
    "an integer of 64 bits is read exactly",
    arguments: [
      ("0", 0), ("7", 7), ("-1", -1), ("10", 10), ("9007199254740993", 9_007_199_254_740_993),
      ("-9007199254740993", -9_007_199_254_740_993), ("9223372036854775807", .max),
      ("-9223372036854775807", -.max), ("-9223372036854775808", .min),
    ] as [(String, Int64)]
  )
  func integer(text: String, value: Int64) throws {
    #expect(try JSON(reading: text).isSame(as: .integer(value)))
  }

  @Test(
    "any other number is the nearest double",
    arguments: [
      ("9223372036854775808", 0x1p63), ("-9223372036854775809", -0x1p63),
      ("18446744073709551615", 0x1p64), ("18446744073709551616", 0x1p64),
      ("18446744073709551617", 0x1p64), ("184467440737095516150", 1.8446744073709552e20),
      ("123456789012345678901234567890", 1.2345678901234568e29),
      ("-123456789012345678901234567890", -1.2345678901234568e29),
      ("0.0", 0), ("-0", -0.0), ("-0.0", -0.0), ("-0e5", -0.0), ("0e0", 0), ("5.0", 5),
      ("0.1", 0.1), ("-2.5", -2.5), ("1e2", 100), ("1E2", 100), ("1e+2", 100), ("1e-2", 0.01),
      ("1E-02", 0.01), ("1.25e1", 12.5), ("1e308", 1e308), ("1e23", 1e23), ("0e400", 0),
      ("1.7976931348623157e308", Double.greatestFiniteMagnitude),
      ("2.2250738585072011e-308", Double.leastNormalMagnitude.nextDown),
      ("5e-324", Double.leastNonzeroMagnitude), ("1e-400", 0), ("-1e-400", -0.0),
      ("0.1234567890123456789012345678901234567890", 0.123456789012345678901234567890123456789),
      ("9007199254740993.0", 9_007_199_254_740_992),
      ("9007199254740993.00000000000000000001", 9_007_199_254_740_994),
    ] as [(String, Double)]
  )
  func number(text: String, value: Double) throws {
    #expect(try JSON(reading: text).isSame(as: .number(value)))
  }

  @Test(
    "a number that no double holds is infinite and not representable",
    arguments: [("1e400", Double.infinity), ("-1e400", -.infinity), ("1.8e308", .infinity)]
  )
  func infinite(text: String, value: Double) throws {
    let json = try JSON(reading: text)
    #expect(json.isSame(as: .number(value)))
    #expect(!json.isRepresentable)
    #expect(try !JSON(reading: "{\"a\":[0,{\"b\":\(text)}]}").isRepresentable)
    #expect(try JSON(reading: "{\"a\":[0,{\"b\":1e308}],\"c\":\"\(text)\"}").isRepresentable)
  }

  @Test("a number of 400 digits is infinite, one of 300 is a double")
  func manyDigits() throws {
    let digits = String(repeating: "9", count: 300)
    #expect(try JSON(reading: digits).isSame(as: .number(1e300)))
    #expect(try JSON(reading: digits + digits).isSame(as: .number(.infinity)))
    let fraction = "0." + String(repeating: "3", count: 100_000)
    #expect(try JSON(reading: fraction).isSame(as: .number(1.0 / 3)))
  }

  @Test(
    "what is not quite a number is a syntax error",
    arguments: [
      "-", "+1", "--1", "00", "01", "-01", "-00", "007", "1.", "-1.", ".5", "-.5", "1.e1", "1e",
      "1E", "1e+", "1e-", "1e+-1", "1e1.5", "1.2.3", "0x10", "1_000", "1,000", "1-", "1+", "١",
      "NaN", "nan", "Infinity", "-Infinity", "inf", "1f", "1ee1", "- 1", "1 e1", "1. 5",
    ]
  )
  func notANumber(text: String) {
    #expect(isRefused(text))
    #expect(isRefused("{\"a\":\(text)}"))
  }

  @Test("the double of a number is had whichever way it was written")
  func double() throws {
    #expect(try JSON(reading: "5").double == 5)
    #expect(try JSON(reading: "5.0").double == 5)
    #expect(try JSON(reading: "\"5\"").double == nil)
    #expect(try JSON(reading: "null").double == nil)
    #expect(try JSON(reading: "true").double == nil)
  }
}
