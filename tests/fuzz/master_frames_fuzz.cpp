// What a client and the connection master may send to each other, and what ssh's own master may answer.
#include <cstdint>
#include <string>
#include <string_view>

#include "re/base/error.hpp"
#include "transport/master_protocol.hpp"
#include "transport/mux_protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(re::transport::mux::parse_reply(text));
  std::string received(text);
  try {
    while (auto frame = re::transport::master::take_frame(received)) {
      static_cast<void>(re::transport::master::parse_connect(frame->body));
      static_cast<void>(re::transport::master::parse_exec(frame->body));
      static_cast<void>(re::transport::master::parse_forward(frame->body));
      static_cast<void>(re::transport::master::parse_error(frame->body));
      static_cast<void>(re::transport::master::parse_question(frame->body));
      static_cast<void>(re::transport::master::parse_info(frame->body));
      static_cast<void>(re::transport::master::parse_size(frame->body));
      static_cast<void>(re::transport::master::parse_status(frame->body));
    }
  } catch (const re::Error&) {  // the client is let go
  }
  return 0;
}
