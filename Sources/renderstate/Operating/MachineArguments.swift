public import ArgumentParser
public import RenderModel

extension State: ExpressibleByArgument {}
