/* reasons.c: "SSL" and "CERTIFICATE_VERIFY_FAILED", for what OpenSSL has numbers for. */
#include "reasons.h"

#include <openssl/err.h>
#include <string.h>

typedef struct library_name {
    const char *name;
    int library;
} library_name;

typedef struct reason_name {
    const char *name;
    int library;
    int reason;
} reason_name;

#include "reason_names.h"

#define LIBRARIES (sizeof library_names / sizeof library_names[0])
#define REASONS (sizeof reason_names / sizeof reason_names[0])

static int add_library(PyObject *libraries, const library_name *entry)
{
    PyObject *key = PyLong_FromLong(entry->library);
    PyObject *name = PyUnicode_FromString(entry->name);
    int failed = key == NULL || name == NULL || PyDict_SetItem(libraries, key, name) < 0;

    Py_XDECREF(key);
    Py_XDECREF(name);
    return failed ? -1 : 0;
}

static int add_reason(const module_state *state, const reason_name *entry)
{
    PyObject *key = Py_BuildValue("(ii)", entry->library, entry->reason);
    PyObject *name = PyUnicode_FromString(entry->name);
    int failed = key == NULL || name == NULL ||
                 PyDict_SetItem(state->codes_to_names, key, name) < 0 ||
                 PyDict_SetItem(state->names_to_codes, name, key) < 0;

    Py_XDECREF(key);
    Py_XDECREF(name);
    return failed ? -1 : 0;
}

int add_reasons(PyObject *module, module_state *state)
{
    state->codes_to_names = PyDict_New();
    state->names_to_codes = PyDict_New();
    state->libraries = PyDict_New();
    if (state->codes_to_names == NULL || state->names_to_codes == NULL || state->libraries == NULL)
        return -1;
    for (size_t i = 0; i < LIBRARIES; i++)
        if (add_library(state->libraries, &library_names[i]) < 0)
            return -1;
    for (size_t i = 0; i < REASONS; i++)
        if (add_reason(state, &reason_names[i]) < 0)
            return -1;
#if PY_VERSION_HEX < 0x030C0000
    if (PyModule_AddObjectRef(module, "err_codes_to_names", state->codes_to_names) < 0 ||
        PyModule_AddObjectRef(module, "err_names_to_codes", state->names_to_codes) < 0 ||
        PyModule_AddObjectRef(module, "lib_codes_to_names", state->libraries) < 0)
        return -1;
#else
    (void)module;
#endif
    return 0;
}

/* A new reference to what DICT has for KEY, which is given away; None if it has nothing. */
static PyObject *look_up(PyObject *dict, PyObject *key)
{
    PyObject *found;

    if (key == NULL)
        return NULL;
    found = PyDict_GetItemWithError(dict, key);
    Py_DECREF(key);
    if (found == NULL && PyErr_Occurred() != NULL)
        return NULL;
    return Py_NewRef(found == NULL ? Py_None : found);
}

PyObject *library_of_code(module_state *state, unsigned long code)
{
    return look_up(state->libraries, PyLong_FromLong(ERR_GET_LIB(code)));
}

PyObject *reason_of_code(module_state *state, unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    PyObject *name =
        look_up(state->codes_to_names, Py_BuildValue("(ii)", ERR_GET_LIB(code), reason));

    /* What every library may say, such as that another one failed. */
    if (name == Py_None && (ERR_GET_RFLAGS(code) & ERR_RFLAG_COMMON) != 0) {
        Py_DECREF(name);
        name = look_up(state->codes_to_names, Py_BuildValue("(ii)", 0, reason));
    }
    return name;
}

unsigned long code_of_names(const char *library, const char *name)
{
    int number = -1;

    for (size_t i = 0; i < LIBRARIES; i++)
        if (strcmp(library_names[i].name, library) == 0)
            number = library_names[i].library;
    for (size_t i = 0; number >= 0 && i < REASONS; i++)
        if ((reason_names[i].library == number || reason_names[i].library == 0) &&
            strcmp(reason_names[i].name, name) == 0)
            return ERR_PACK(number, 0, reason_names[i].reason);
    return 0;
}
