public import ArgumentParser
public import RenderModel

extension State: ExpressibleByArgument {}

extension Command.Action: ExpressibleByArgument {
  public init?(argument: String) {
    self.init(name: argument)
  }

  public static var allValueStrings: [String] {
    (Event.allCases.map(Self.event) + [.regenerate]).map(\.name)
  }
}
