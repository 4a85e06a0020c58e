// The one coroutine type. Only a forward declaration, so that public headers stay light: a .cpp that defines
// or awaits a coroutine includes <boost/asio/awaitable.hpp> and what it needs of Asio.
#pragma once

// NOLINTBEGIN(readability-identifier-naming): the names are Boost's
namespace boost::asio {
class any_io_executor;
class io_context;
template <typename T, typename Executor>
class awaitable;
}  // namespace boost::asio
// NOLINTEND(readability-identifier-naming)

namespace re {

/// A Boost.Asio coroutine: runs on the program's one io_context, one thread. It starts when it is awaited; it
/// reports failure by throwing re::Error.
template <class T>
using Async = boost::asio::awaitable<T, boost::asio::any_io_executor>;

using IoContext = boost::asio::io_context;

}  // namespace re
