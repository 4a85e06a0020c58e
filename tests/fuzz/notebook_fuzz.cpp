// What a notebook server says of itself and over HTTP, and what a user says of ports.
#include <cstdint>
#include <string_view>

#include "re/engine/forward.hpp"
#include "re/engine/notebook.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(re::jobs::parse_jupyter_server(text));
  static_cast<void>(re::engine::parse_http_status(text));
  static_cast<void>(re::engine::parse_forward(text));
  return 0;
}
