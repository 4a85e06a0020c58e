// re.conf, .recompute.conf and .recompute/config, and a destination as a user gives it.
#include <cstdint>
#include <string>
#include <string_view>

#include "config/parse.hpp"
#include "re/base/error.hpp"
#include "re/config/settings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const re::config::LayerContext context{"file", "/home/me"};
  static_cast<void>(re::config::parse_user_layer(text, context));
  static_cast<void>(re::config::parse_project_layer(text, context));
  try {
    static_cast<void>(re::config::parse_destination(text));
  } catch (const re::Error&) {  // it is refused
  }
  return 0;
}
