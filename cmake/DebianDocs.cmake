# Run by cpack on what is to be packed: a package's documents lie in a directory of its own name (Debian policy 12.3).
set(doc "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc")
file(RENAME "${doc}/re" "${doc}/${CPACK_PACKAGE_NAME}")
execute_process(COMMAND "${CPACK_RE_GZIP}" -9nc "${CPACK_RE_CHANGELOG}"
                OUTPUT_FILE "${doc}/${CPACK_PACKAGE_NAME}/changelog.Debian.gz" COMMAND_ERROR_IS_FATAL ANY)
