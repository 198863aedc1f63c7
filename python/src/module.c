/* module.c: the module, made once per interpreter. */
#include "extension.h"

module_state *state_of_type(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &cinch_module);

    return module == NULL ? NULL : state_of_module(module);
}

/*
 * glibc gives free memory back to the system once there is twice as much as the largest block that was ever
 * freed. Frameworks read and write 256 KiB at a time, just around what that comes to: each turn then gave back
 * and took again page by page (measured with asyncio's streams: 170 page faults a MiB, and half the speed).
 * One block freed here keeps two MiB instead. Other allocators take no notice.
 */
static void keep_some_memory(void)
{
    void *volatile block = PyMem_RawMalloc((size_t)1 << 20);

    PyMem_RawFree(block);
}

static int fill_module(PyObject *module)
{
    module_state *state = state_of_module(module);

    /* Otherwise OpenSSL has no words for libssl's reasons until the first connection. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) != 1) {
        PyErr_NoMemory();
        return -1;
    }
    if (add_errors(module, state) < 0 || add_constants(module, state) < 0 ||
        add_helpers(module, state) < 0 || add_memory_bio(module, state) < 0 ||
        add_certificates(module, state) < 0 || add_sessions(module, state) < 0 ||
        add_contexts(module, state) < 0 || add_sockets(module, state) < 0)
        return -1;
    keep_some_memory();
    return 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = state_of_module(module);

    Py_VISIT(state->context_type);
    Py_VISIT(state->socket_type);
    Py_VISIT(state->memory_bio_type);
    Py_VISIT(state->session_type);
    Py_VISIT(state->certificate_type);
    Py_VISIT(state->ssl_error);
    Py_VISIT(state->zero_return_error);
    Py_VISIT(state->want_read_error);
    Py_VISIT(state->want_write_error);
    Py_VISIT(state->syscall_error);
    Py_VISIT(state->eof_error);
    Py_VISIT(state->verification_error);
    Py_VISIT(state->codes_to_names);
    Py_VISIT(state->names_to_codes);
    Py_VISIT(state->libraries);
    return 0;
}

static int clear(PyObject *module)
{
    module_state *state = state_of_module(module);

    Py_CLEAR(state->context_type);
    Py_CLEAR(state->socket_type);
    Py_CLEAR(state->memory_bio_type);
    Py_CLEAR(state->session_type);
    Py_CLEAR(state->certificate_type);
    Py_CLEAR(state->ssl_error);
    Py_CLEAR(state->zero_return_error);
    Py_CLEAR(state->want_read_error);
    Py_CLEAR(state->want_write_error);
    Py_CLEAR(state->syscall_error);
    Py_CLEAR(state->eof_error);
    Py_CLEAR(state->verification_error);
    Py_CLEAR(state->codes_to_names);
    Py_CLEAR(state->names_to_codes);
    Py_CLEAR(state->libraries);
    return 0;
}

static void free_module(void *module)
{
    (void)clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill_module},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef cinch_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_ssl",
    .m_doc = "Implementation module for SSL socket operations, on libcinch.  See the ssl module\n"
             "for documentation.",
    .m_size = sizeof(module_state),
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__cinch(void);

PyMODINIT_FUNC PyInit__cinch(void)
{
    return PyModuleDef_Init(&cinch_module);
}
