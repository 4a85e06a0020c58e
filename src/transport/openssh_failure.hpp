// What ssh says on stderr, understood. Pure functions of text.
#pragma once

#include <string>
#include <string_view>

#include "re/base/error.hpp"

namespace re::transport {

/// The Error for an ssh that ended before its connection was usable. Kinds: host_key, auth, config,
/// unsupported, else unreachable. The message holds ssh's own words, without control characters.
/// \param log ssh's stderr at LogLevel DEBUG1
Error openssh_failure(std::string_view destination, std::string_view log);

/// "ssh-ed25519 SHA256:…" from the log, or nothing known: "".
std::string host_key_in_log(std::string_view log);

/// Whether the server hung up before it greeted, by the log of a failed ssh.
bool is_turned_away(std::string_view log);

/// How often the server has refused a login so far, by the log.
std::size_t refusals_in_log(std::string_view log);

/// What in the log is not ssh's own talk: the server's banner. Complete lines with their ends; "" when there
/// is none.
std::string banner_in_log(std::string_view log);

}  // namespace re::transport
