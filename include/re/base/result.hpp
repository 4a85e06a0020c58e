// Result<T>: a value or an Error, where failure is data (one host among others, a line of remote text).
#pragma once

#include <boost/system/result.hpp>

#include "re/base/error.hpp"

namespace re {

/// Holds a T or an Error. `r.value()` throws the Error; `r.has_value()`, `*r`, `r.error()` as in
/// boost::system::result.
template <class T>
using Result = boost::system::result<T, Error>;

/// Found by argument-dependent lookup when value() is asked of a failed Result.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw error;
}

}  // namespace re
