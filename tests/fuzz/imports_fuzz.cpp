// What Python sources say, and notebooks.
#include <cstdint>
#include <string>
#include <string_view>

#include "re/project/imports.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scan = re::project::scan_imports(text);
  static_cast<void>(scan);
  return 0;
}
