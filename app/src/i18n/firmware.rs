//! The pages about firmware: projects, releases, devices, tokens.

use super::texts;

texts! {
    /// `/admin/projects`
    Projects {
        title: "Projects" | "Proyectos",
        intro: "A project is one firmware for one kind of device." | "Un proyecto es un firmware para una clase de dispositivo.",
        caption: "Projects" | "Proyectos",
        add: "Add a project" | "Añadir un proyecto",
        name: "Name in the URL" | "Nombre en la URL",
        name_hint: "Letters, digits, dots, dashes and underscores, 64 at most. It never changes." | "Letras, dígitos, puntos, guiones y guiones bajos, 64 como máximo. No cambia nunca.",
        title_field: "Title" | "Título",
        title_hint: "What people call it; left empty, it is the name in the URL." | "Cómo lo llaman las personas; si queda vacío, es el nombre en la URL.",
        hardware: "Hardware" | "Hardware",
        hardware_hint: "Chips separated by commas, for example esp32s3. At most 16." | "Chips separados por comas, por ejemplo esp32s3. Como máximo 16.",
        any_hardware: "Not said" | "Sin indicar",
        latest: "Published" | "Publicada",
        empty_title: "There is no project yet" | "Todavía no hay ningún proyecto",
        empty_hint: "Three steps bring an image to your devices:" | "Tres pasos llevan una imagen a tus dispositivos:",
        step_project: "Add a project with the form below." | "Añade un proyecto con el formulario de abajo.",
        step_upload: "Upload an image on its page. It stays a draft at first." | "Sube una imagen en su página. Al principio queda como borrador.",
        step_publish: "Publish the release. Devices get it with their next check." | "Publica la versión. Los dispositivos la reciben en su próxima comprobación.",
    }
}

texts! {
    /// `/admin/projects/{project}` and the list of its devices
    Project {
        releases: "Releases" | "Versiones",
        devices: "Devices" | "Dispositivos",
        devices_intro: "What each device runs and when it was last heard of." | "Qué ejecuta cada dispositivo y cuándo se supo de él por última vez.",
        settings: "Settings" | "Ajustes",
        version: "Version" | "Versión",
        file_name: "File" | "Archivo",
        uploaded_at: "Uploaded" | "Subida",
        upload: "Upload a release" | "Subir una versión",
        versions_in_field: "Versions in the field" | "Versiones en uso",
        older: "Older versions" | "Versiones anteriores",
        share: "Share" | "Parte",
        devices_count: "Devices" | "Dispositivos",
        heard: "Heard of within a day" | "Con noticias en un día",
        heard_of: "{n} of {all}" | "{n} de {all}",
        newest_word: "Newest word" | "Última noticia",
        delivery: "Delivery" | "Entrega",
        two_person: "Two people publish" | "Publican dos personas",
        two_person_hint: "Whoever publishes needs the agreement of another admin." | "Quien publica necesita el acuerdo de otro administrador.",
        registers: "Gateways register devices that are not known" | "Las pasarelas registran dispositivos desconocidos",
        registers_hint: "Any device id that comes with the gateway token becomes a device of this project." | "Todo identificador que llegue con el token de pasarela se vuelve un dispositivo de este proyecto.",
        quota: "Room for its images, in MiB" | "Sitio para sus imágenes, en MiB",
        quota_hint: "Left empty, there is no limit but the disk." | "Si queda vacío, no hay más límite que el disco.",
        poll: "Devices ask every … seconds" | "Los dispositivos preguntan cada … segundos",
        poll_hint: "From 5 to 86400. Each answer differs a little, so that not all come at once." | "De 5 a 86400. Cada respuesta varía un poco, para que no vengan todos a la vez.",
        as_table: "The same as a table" | "Lo mismo como tabla",
        all_devices: "All {n} devices" | "Todos los dispositivos ({n})",
        ask_label: "Ask for an update" | "Buscar una actualización",
        device: "Device" | "Dispositivo",
        group: "Group" | "Grupo",
        group_hint: "A word for devices that belong together; may be empty." | "Una palabra para los dispositivos que van juntos; puede quedar vacía.",
        runs: "Runs" | "Ejecuta",
        never_said: "Not said yet" | "Aún sin decir",
        add_device: "Add a device" | "Añadir un dispositivo",
        device_name_hint: "What people call it; left empty, it is the device id." | "Cómo lo llaman las personas; si queda vacío, es el identificador.",
        device_id: "Device id" | "Identificador",
        device_id_hint: "A UUID; left empty, the portal makes one." | "Un UUID; si queda vacío, el portal crea uno.",
        remove: "Remove the project" | "Eliminar el proyecto",
        remove_warning: "This removes the project {project} with its releases and devices. Its devices get nothing any more and their tokens stop working at once." | "Esto elimina el proyecto {project} con sus versiones y dispositivos. Sus dispositivos ya no reciben nada y sus tokens dejan de servir al momento.",
        no_releases_title: "There is no release yet" | "Todavía no hay ninguna versión",
        no_releases_hint: "Upload the first image. It stays a draft until you publish it." | "Sube la primera imagen. Queda como borrador hasta que la publiques.",
        no_devices_title: "There is no device yet" | "Todavía no hay ningún dispositivo",
        no_devices_hint: "Add one to get its tokens; what it runs is drawn here once it asks." | "Añade uno para obtener sus tokens; lo que ejecuta se dibuja aquí cuando pregunte.",
        no_devices_here: "Add one with the form below. Its page shows its target token once and makes download tokens." | "Añade uno con el formulario de abajo. Su página muestra una vez su token y crea tokens de descarga.",
    }
}

texts! {
    /// `/admin/projects/{project}/releases/{version}`
    Release {
        title: "{project} {version}" | "{project} {version}",
        state_title: "Offer to devices" | "Oferta a los dispositivos",
        draft_means: "This is a draft: devices do not see it. Publish it, and they get it with their next check." | "Es un borrador: los dispositivos no lo ven. Publícalo y lo recibirán en su próxima comprobación.",
        published_means: "Devices with an older version get it with their next check." | "Los dispositivos con una versión anterior la reciben en su próxima comprobación.",
        withdrawn_means: "Devices are no longer offered it. Publish it again to offer it once more." | "Ya no se ofrece a los dispositivos. Publícala de nuevo para volver a ofrecerla.",
        publish: "Publish" | "Publicar",
        publish_anyway: "Publish anyway" | "Publicar de todos modos",
        withdraw: "Withdraw" | "Retirar",
        withdraw_warning: "This stops offering {version}. {n} devices are under way and are told to stop; those that run it keep it." | "Esto deja de ofrecer {version}. A {n} dispositivos en marcha se les dice que paren; los que la ejecutan siguen con ella.",
        delete_draft: "Delete the draft" | "Borrar el borrador",
        remove_warning: "This removes the release {version} and its image for good." | "Esto elimina para siempre la versión {version} y su imagen.",
        notes: "Notes" | "Notas",
        notes_hint: "What changed, for people. At most 4000 characters." | "Qué cambió, para las personas. Como máximo 4000 caracteres.",
        download: "Download the image" | "Descargar la imagen",
        published_at: "Published" | "Publicada",
        withdrawn_at: "Withdrawn" | "Retirada",
        see: "See the release" | "Ver la versión",
        checksums: "Checksums" | "Sumas de comprobación",
        device_gets: "What a device gets" | "Qué recibe un dispositivo",
        device_gets_hint: "Once published, the first command names this release unless there is a newer one, and the second fetches its image." | "Una vez publicada, la primera orden nombra esta versión salvo que haya otra más nueva, y la segunda descarga su imagen.",
        fetch_label: "Fetch the image" | "Descargar la imagen",
    }
}

texts! {
    /// `/admin/projects/{project}/devices/{device}`
    Device {
        title: "Device {name}" | "Dispositivo {name}",
        current: "Runs" | "Ejecuta",
        controller_id: "Controller id" | "Identificador de controlador",
        controller_id_hint: "What hawkBit clients call it, such as a serial number; left empty, the device id." | "Cómo la llaman los clientes de hawkBit, por ejemplo un número de serie; si queda vacío, el identificador.",
        channel: "Channel" | "Canal",
        channel_stable: "stable: finished releases" | "stable: versiones terminadas",
        channel_beta: "beta: also releases on trial" | "beta: también versiones a prueba",
        update_title: "Its update" | "Su actualización",
        update_of: "{from} → {to}" | "{from} → {to}",
        unknown_version: "?" | "?",
        no_update_title: "It was offered nothing yet" | "Aún no se le ofreció nada",
        no_update_hint: "Once it asks and a published release is meant for it, its progress shows here." | "Cuando pregunte y haya una versión publicada para él, aquí se ve su progreso.",
        retry_next: "It tries again with its next check." | "Lo intenta de nuevo en su próxima comprobación.",
        retry_at: "It tries again {time}." | "Lo intenta de nuevo {time}.",
        cancel: "Stop this update" | "Parar esta actualización",
        cancel_warning: "This tells {name} to stop installing {version}. It keeps what it runs now." | "Esto le dice a {name} que deje de instalar {version}. Conserva lo que ejecuta ahora.",
        retry: "Try again now" | "Intentarlo ya",
        last_report: "Last report" | "Último informe",
        attributes: "Attributes" | "Atributos",
        attributes_hint: "One a line, for example room=hall. At most 32." | "Uno por línea, por ejemplo sala=recibidor. Como máximo 32.",
        settings: "Settings" | "Ajustes",
        target_token: "Target token" | "Token del dispositivo",
        target_token_hint: "The lasting secret of this device. If it gets lost, remove the device and add it again." | "El secreto duradero de este dispositivo. Si se pierde, elimina el dispositivo y añádelo de nuevo.",
        shown_before: "This token was shown already, or more than a minute ago. A token is shown once: make a new download token below; for a new target token, remove the device and add it again." | "Este token ya se mostró o pasó más de un minuto. Un token se muestra una sola vez: crea abajo otro token de descarga; para otro token del dispositivo, elimínalo y añádelo de nuevo.",
        make_token: "Make a download token" | "Crear un token de descarga",
        make_token_hint: "A signed token with which the device asks for updates and downloads them." | "Un token firmado con el que el dispositivo busca actualizaciones y las descarga.",
        expires_minutes: "Valid for, in minutes" | "Válido durante, en minutos",
        expires_hint: "From 1 to 1440; left empty, as long as this portal usually gives." | "De 1 a 1440; si queda vacío, lo habitual en este portal.",
        current_fw: "Firmware it runs" | "Firmware que ejecuta",
        token: "Download token" | "Token de descarga",
        tokens: "Download tokens" | "Tokens de descarga",
        no_tokens_title: "It has no download token yet" | "Aún no tiene token de descarga",
        no_tokens_hint: "Make one below and put it into the device." | "Crea uno abajo y ponlo en el dispositivo.",
        remove: "Remove the device" | "Eliminar el dispositivo",
        remove_warning: "This removes the device {name} and its reports. All of its tokens stop working at once." | "Esto elimina el dispositivo {name} y sus informes. Todos sus tokens dejan de servir al momento.",
        timeline: "Timeline" | "Cronología",
        timeline_caption: "What happened, the newest first" | "Lo que pasó, lo más nuevo primero",
        report_at: "When" | "Cuándo",
        report_detail: "In its words" | "En sus palabras",
        no_reports_title: "Nothing happened yet" | "Aún no pasó nada",
        no_reports_hint: "Offers, downloads and reports are listed here. Connect the device as shown below." | "Aquí se listan ofertas, descargas e informes. Conecta el dispositivo como se muestra abajo.",
    }
}

texts! {
    /// `/admin/tokens`
    Tokens {
        title: "Tokens" | "Tokens",
        intro: "Download tokens of devices, the newest first." | "Tokens de descarga de los dispositivos, los más nuevos primero.",
        caption: "Device tokens" | "Tokens de dispositivos",
        jti: "Id" | "Identificador",
        device: "Device" | "Dispositivo",
        device_hint: "The id of a device, a UUID." | "El identificador de un dispositivo, un UUID.",
        project: "Project" | "Proyecto",
        all_projects: "All projects" | "Todos los proyectos",
        issued_at: "Issued" | "Emitido",
        filter: "Filter" | "Filtrar",
        filter_clear: "Clear the filter" | "Quitar el filtro",
        revoke: "Revoke" | "Revocar",
        revoke_warning: "This ends the token {jti}: the device that holds it is refused from now on." | "Esto termina el token {jti}: el dispositivo que lo tenga será rechazado desde ahora.",
        empty_title: "No token is listed" | "No hay tokens que mostrar",
        empty_hint: "Make one on the page of a device, or with POST /admin/generate_token." | "Crea uno en la página de un dispositivo o con POST /admin/generate_token.",
        none_fits: "No token fits the filter. Clear it to see all." | "Ningún token coincide con el filtro. Quítalo para verlos todos.",
        to_projects: "To the projects" | "Ir a los proyectos",
    }
}

texts! {
    /// The upload page, its form and its island.
    Upload {
        title: "Upload a release" | "Subir una versión",
        intro: "The image stays a draft until you publish it; devices do not see it before." | "La imagen queda como borrador hasta que la publiques; antes los dispositivos no la ven.",
        version_rules: "01.00.02 and 1.0.2 are one version. Sending the same bytes again changes nothing; other bytes need a new version." | "01.00.02 y 1.0.2 son la misma versión. Enviar otra vez los mismos bytes no cambia nada; otros bytes necesitan una versión nueva.",
        version: "Version" | "Versión",
        version_hint: "For example 1.4.0. The bytes of a version never change." | "Por ejemplo 1.4.0. Los bytes de una versión no cambian nunca.",
        file: "Image" | "Imagen",
        file_hint: "At most {size}." | "Como máximo {size}.",
        submit: "Upload" | "Subir",
        progress: "Upload" | "Subida",
        sending: "{percent} %, {speed} per second, {left} left" | "{percent} %, {speed} por segundo, quedan {left}",
        waiting: "The connection broke at {percent} %. Trying again…" | "La conexión se cortó al {percent} %. Reintentando…",
        checking: "All bytes are sent. The portal checks and stores them." | "Todos los bytes están enviados. El portal los comprueba y guarda.",
        cancel: "Cancel the upload" | "Cancelar la subida",
        cancelled: "The upload was cancelled. Nothing was kept." | "La subida se canceló. No se guardó nada.",
        broken: "The connection broke at {percent} %. What arrived is kept for a day: check the network, choose the same file and upload again. It goes on where it stopped." | "La conexión se cortó al {percent} %. Lo que llegó se guarda un día: revisa la red, elige el mismo archivo y sube de nuevo. Sigue donde se quedó.",
        refused: "The portal refused the image. Reload the page and try again." | "El portal rechazó la imagen. Recarga la página e inténtalo de nuevo.",
    }
}
